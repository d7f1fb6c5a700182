# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "address" {
  description = "The address that the names lead to."
  value       = google_compute_global_address.main.address
}

output "address_name" {
  description = "Name of that address, as a Gateway of GKE takes it (NamedAddress)."
  value       = google_compute_global_address.main.name
}

output "certificate_map" {
  description = "Name of the certificates' map, as a Gateway takes it (networking.gke.io/certmap); nothing without domains."
  value       = one(google_certificate_manager_certificate_map.main[*].name)
}

output "ssl_policy" {
  description = "Name of the TLS policy, as a Gateway takes it (GCPGatewayPolicy)."
  value       = google_compute_ssl_policy.main.name
}

output "security_policy" {
  description = "Name of the rules of Cloud Armor, as a Gateway's backends take it (GCPBackendPolicy); nothing without armor."
  value       = one(google_compute_security_policy.main[*].name)
}

output "endpoint_groups" {
  description = "Name of the endpoint group that a Service of GKE is to name, by backend."
  value       = { for name, backend in var.backends : name => "${var.name}-${name}" if length(backend.zones) > 0 }
}

output "static_bucket" {
  description = "The bucket of static files; nothing where there is none."
  value       = one(google_storage_bucket.static[*].name)
}
