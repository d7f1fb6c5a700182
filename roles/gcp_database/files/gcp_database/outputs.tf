# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "name" {
  description = "Name of the instance."
  value       = google_sql_database_instance.main.name
}

output "connection_name" {
  description = "Name under which Google's connectors find it: PROJECT:REGION:NAME."
  value       = "${var.project}:${var.region}:${google_sql_database_instance.main.name}"
}

output "address" {
  description = "Its address in the network."
  value       = google_sql_database_instance.main.private_ip_address
}

output "port" {
  description = "The port that it answers on."
  value       = var.engine == "postgres" ? 5432 : 3306
}

output "databases" {
  description = "The databases."
  value       = sort([for database in google_sql_database.main : database.name])
}

output "password_secrets" {
  description = "Where in Secret Manager the password of each user lies, by name of the user."
  value       = { for name, secret in google_secret_manager_secret.main : name => "projects/${var.project}/secrets/${secret.secret_id}" }
}
