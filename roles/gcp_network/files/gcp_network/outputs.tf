# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "network" {
  description = "The network, as projects/PROJECT/global/networks/NAME."
  value       = local.network
}

output "subnet" {
  description = "The subnet, as projects/PROJECT/regions/REGION/subnetworks/NAME."
  value       = "projects/${var.project}/regions/${var.region}/subnetworks/${google_compute_subnetwork.main.name}"
}

output "pods_range" {
  description = "Name of the secondary range of pods; nothing where there is none."
  value       = var.pods == null ? null : "pods"
}

output "services_range" {
  description = "Name of the secondary range of Services; nothing where there is none."
  value       = var.services == null ? null : "services"
}

output "private_services_range" {
  description = "Name of the range of managed databases; nothing where there is none."
  value       = one(google_compute_global_address.private_services[*].name)
}

output "nat_addresses" {
  description = "The fixed addresses of the way out."
  value       = google_compute_address.nat[*].address
}
