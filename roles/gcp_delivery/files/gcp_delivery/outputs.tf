# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "registries" {
  description = "Where images and packages are pushed to, by name of the repository."
  value       = { for name, registry in google_artifact_registry_repository.main : name => "${var.region}-docker.pkg.dev/${var.project}/${registry.repository_id}" if var.registries[name].kind == "docker" }
}

output "build_service_accounts" {
  description = "The account of each trigger, by name."
  value       = { for name, account in google_service_account.build : name => "${account.account_id}@${var.project}.iam.gserviceaccount.com" }
}

output "secrets" {
  description = "Each secret as projects/PROJECT/secrets/NAME, by name."
  value       = { for name, secret in google_secret_manager_secret.main : name => "projects/${var.project}/secrets/${secret.secret_id}" }
}

output "audit_bucket" {
  description = "The bucket of the audit log."
  value       = google_storage_bucket.audit.name
}
