# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "project" {
  description = "Id of the project."
  value       = var.project
}

output "number" {
  description = "Number of the project."
  value       = local.number
}

output "service_accounts" {
  description = "E-mail address of each service account, by name."
  value       = { for name, _ in var.service_accounts : name => "${name}@${var.project}.iam.gserviceaccount.com" }
}

output "federation" {
  description = "Name under which a pipeline signs in, by name: the `workload_identity_provider` of google-github-actions/auth."
  value       = { for name, provider in google_iam_workload_identity_pool_provider.main : name => provider.name }
}

output "kms_key" {
  description = "Id of the key that other layers encrypt with; nothing where there is none."
  value       = var.customer_key ? local.key : null
}
