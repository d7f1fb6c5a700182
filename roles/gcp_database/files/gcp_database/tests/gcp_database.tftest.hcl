# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project = "shop-prod"
  region  = "europe-west1"
  name    = "shop"
  network = "projects/shop-prod/global/networks/shop"
}

run "private_with_a_standby_and_backups" {
  command = plan

  assert {
    condition     = google_sql_database_instance.main.database_version == "POSTGRES_17" && google_sql_database_instance.main.settings[0].availability_type == "REGIONAL"
    error_message = "A standby in another zone takes over."
  }

  assert {
    condition     = !google_sql_database_instance.main.settings[0].ip_configuration[0].ipv4_enabled && google_sql_database_instance.main.settings[0].ip_configuration[0].ssl_mode == "ENCRYPTED_ONLY"
    error_message = "It has no public address, and nothing unencrypted is let in."
  }

  assert {
    condition     = google_sql_database_instance.main.settings[0].backup_configuration[0].point_in_time_recovery_enabled && google_sql_database_instance.main.deletion_protection
    error_message = "It is restored to any moment, and not destroyed by mistake."
  }
}

run "mysql_restores_by_its_own_log" {
  command = plan

  variables {
    engine         = "mysql"
    engine_version = "8.4"
  }

  assert {
    condition     = google_sql_database_instance.main.database_version == "MYSQL_8_4" && google_sql_database_instance.main.settings[0].backup_configuration[0].binary_log_enabled
    error_message = "MySQL restores to any moment by its binary log."
  }
}

run "versions_belong_to_engines" {
  command = plan

  variables {
    engine_version = "8.4"
  }

  expect_failures = [var.engine_version]
}
