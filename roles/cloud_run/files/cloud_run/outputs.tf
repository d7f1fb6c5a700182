# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "services" {
  description = "Name of each service, as the load balancer's layer takes its backends."
  value       = { for name, service in google_cloud_run_v2_service.main : name => { service = service.name, region = var.region, grpc = var.services[name].protocol == "grpc" } }
}

output "urls" {
  description = "The address of each service, by name."
  value       = { for name, service in google_cloud_run_v2_service.main : name => service.uri }
}

output "service_accounts" {
  description = "The account that each service runs as, by name."
  value       = { for name, account in google_service_account.main : name => "${account.account_id}@${var.project}.iam.gserviceaccount.com" }
}
