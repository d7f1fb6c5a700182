# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

# Nothing gets in but what is said here; the last rule logs what it keeps out.
resource "google_compute_firewall" "inside" {
  name        = "${var.name}-inside"
  network     = google_compute_network.main.name
  description = "What is in the network talks with itself."
  direction   = "INGRESS"
  priority    = 1000

  source_ranges = [for range in [var.nodes, var.pods] : range if range != null]

  allow {
    protocol = "tcp"
  }

  allow {
    protocol = "udp"
  }

  allow {
    protocol = "icmp"
  }
}

resource "google_compute_firewall" "health" {
  name        = "${var.name}-health"
  network     = google_compute_network.main.name
  description = "Google's load balancers and their health checks."
  direction   = "INGRESS"
  priority    = 1000

  source_ranges = concat(["35.191.0.0/16", "130.211.0.0/22"], var.proxies == null ? [] : [var.proxies])

  allow {
    protocol = "tcp"
    ports    = ["1024-65535"]
  }
}

resource "google_compute_firewall" "ssh" {
  count = var.tunnel_ssh ? 1 : 0

  name        = "${var.name}-ssh"
  network     = google_compute_network.main.name
  description = "SSH through the identity-aware proxy."
  direction   = "INGRESS"
  priority    = 1000

  source_ranges = ["35.235.240.0/20"]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "deny" {
  name        = "${var.name}-deny"
  network     = google_compute_network.main.name
  description = "Everything else is kept out, and logged."
  direction   = "INGRESS"
  priority    = 65000

  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_dns_policy" "main" {
  name           = var.name
  description    = "Logs which names are asked for."
  enable_logging = true

  networks {
    network_url = local.network
  }
}
