# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # What a reader of the log needs to know who did what, and how slow.
  flags = merge(var.engine == "postgres" ? {
    "cloudsql.iam_authentication" = "on"
    "cloudsql.enable_pgaudit"     = "on"
    "pgaudit.log"                 = "ddl,role"
    log_checkpoints               = "on"
    log_connections               = "on"
    log_disconnections            = "on"
    log_duration                  = "on"
    log_hostname                  = "on"
    log_lock_waits                = "on"
    log_min_duration_statement    = "-1"
    log_min_error_statement       = "error"
    log_min_messages              = "warning"
    log_statement                 = "ddl"
    log_temp_files                = "0"
    } : {
    cloudsql_iam_authentication = "on"
    local_infile                = "off"
    skip_show_database          = "on"
    slow_query_log              = "on"
  }, var.flags)
  types = { user = "CLOUD_IAM_USER", service_account = "CLOUD_IAM_SERVICE_ACCOUNT", group = "CLOUD_IAM_GROUP" }
}

resource "google_sql_database_instance" "main" {
  # checkov:skip=CKV_GCP_6:Nothing unencrypted is let in; certificates of clients are an option: client_certificates
  # checkov:skip=CKV_GCP_79:A newer major is an upgrade with an interruption: the owner chooses when (engine_version)
  name                = var.name
  region              = var.region
  database_version    = "${upper(var.engine)}_${replace(var.engine_version, ".", "_")}"
  encryption_key_name = var.kms_key
  deletion_protection = var.deletion_protection

  settings {
    tier                        = var.tier
    edition                     = var.edition
    availability_type           = var.ha ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = var.disk
    disk_autoresize             = true
    disk_autoresize_limit       = var.disk_limit
    connector_enforcement       = "NOT_REQUIRED"
    deletion_protection_enabled = var.deletion_protection
    retain_backups_on_delete    = true
    user_labels                 = local.labels

    ip_configuration {
      ipv4_enabled                                  = false
      private_network                               = var.network
      allocated_ip_range                            = var.private_services_range
      enable_private_path_for_google_cloud_services = true
      ssl_mode                                      = var.client_certificates ? "TRUSTED_CLIENT_CERTIFICATE_REQUIRED" : "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      location                       = var.backup_location
      start_time                     = "01:00"
      point_in_time_recovery_enabled = var.engine == "postgres" ? true : null
      binary_log_enabled             = var.engine == "mysql" ? true : null
      transaction_log_retention_days = var.log_days

      backup_retention_settings {
        retained_backups = var.backup_days
        retention_unit   = "COUNT"
      }
    }

    final_backup_config {
      enabled        = true
      retention_days = 30
    }

    maintenance_window {
      day          = var.maintenance.day
      hour         = var.maintenance.hour
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled  = true
      record_application_tags = true
      record_client_address   = false
    }

    dynamic "password_validation_policy" {
      for_each = var.engine == "postgres" ? [true] : []

      content {
        enable_password_policy      = true
        min_length                  = 16
        complexity                  = "COMPLEXITY_DEFAULT"
        disallow_username_substring = true
      }
    }

    dynamic "database_flags" {
      for_each = local.flags

      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  lifecycle {
    # It grows by itself; what it grew to is no reason to change it.
    ignore_changes = [settings[0].disk_size]
  }
}

resource "google_sql_database" "main" {
  for_each = var.databases

  name     = each.value
  instance = google_sql_database_instance.main.name
  # A database leaves the configuration more easily than its data should leave the disk.
  deletion_policy = var.deletion_protection ? "ABANDON" : "DELETE"
}

resource "google_sql_user" "iam" {
  for_each = var.iam_users

  # PostgreSQL wants a service account without its ending.
  name            = var.engine == "postgres" ? trimsuffix(each.key, ".gserviceaccount.com") : each.key
  instance        = google_sql_database_instance.main.name
  type            = local.types[each.value.kind]
  deletion_policy = var.engine == "postgres" ? "ABANDON" : null
}

resource "google_project_iam_member" "client" {
  for_each = merge([
    for email, user in var.iam_users : {
      for role in ["roles/cloudsql.client", "roles/cloudsql.instanceUser"] : "${email} ${role}" => { email = email, kind = user.kind, role = role }
    }
  ]...)

  project = var.project
  role    = each.value.role
  member  = "${replace(each.value.kind, "service_account", "serviceAccount")}:${each.value.email}"
}

ephemeral "random_password" "main" {
  for_each = toset(keys(var.users))

  length      = 32
  special     = false
  min_lower   = 1
  min_upper   = 1
  min_numeric = 1
}

resource "google_secret_manager_secret" "main" {
  for_each = var.users

  secret_id           = "${var.name}-${each.key}"
  labels              = local.labels
  deletion_protection = var.deletion_protection

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]

          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_version" "main" {
  for_each = var.users

  secret                 = google_secret_manager_secret.main[each.key].id
  secret_data_wo         = ephemeral.random_password.main[each.key].result
  secret_data_wo_version = each.value
}

resource "google_sql_user" "main" {
  for_each = var.users

  name                = each.key
  instance            = google_sql_database_instance.main.name
  password_wo         = ephemeral.random_password.main[each.key].result
  password_wo_version = each.value
  deletion_policy     = var.engine == "postgres" ? "ABANDON" : null
}
