# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

terraform {
  required_version = ">= 1.8"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 8.0, < 9.0"
    }
  }
}

variable "tier" {
  description = "The database's machine size."
  type        = string
  default     = "db-custom-1-3840"
}

variable "region" {
  description = "Where the database is."
  type        = string
  default     = "europe-west1"
}

resource "google_compute_network" "main" {
  name                    = "net"
  auto_create_subnetworks = false
}

resource "google_sql_database_instance" "main" {
  name             = "db"
  database_version = "POSTGRES_17"
  region           = var.region

  settings {
    tier = var.tier
    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.main.id
    }
  }
}

output "database" {
  description = "The database's identity."
  value       = google_sql_database_instance.main.id
}
