# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # A service account's name has 30 characters at most.
  accounts = { for name, _ in var.builds : name => length(name) <= 24 ? "build-${name}" : "build-${substr(name, 0, 15)}-${substr(sha256(name), 0, 8)}" }
  writers  = merge([for name, registry in var.registries : { for member in registry.writers : "${name} ${member}" => { registry = name, member = member } }]...)
  readers  = merge([for name, registry in var.registries : { for member in registry.readers : "${name} ${member}" => { registry = name, member = member } }]...)
  grants   = merge([for name, build in var.builds : { for role in build.roles : "${name} ${role}" => { build = name, role = role } }]...)
  secrets  = merge([for name, secret in var.secrets : { for member in secret.readers : "${name} ${member}" => { secret = name, member = member } }]...)
}

resource "google_artifact_registry_repository" "main" {
  # checkov:skip=CKV_GCP_84:A key of one's own is an option of the layer: kms_key
  for_each = var.registries

  repository_id          = each.key
  location               = var.region
  format                 = upper(each.value.kind)
  kms_key_name           = var.kms_key
  labels                 = local.labels
  cleanup_policy_dry_run = false

  dynamic "docker_config" {
    for_each = each.value.kind == "docker" ? [true] : []

    content {
      immutable_tags = each.value.immutable
    }
  }

  cleanup_policies {
    id     = "keep"
    action = "KEEP"

    most_recent_versions {
      keep_count = each.value.keep
    }
  }

  cleanup_policies {
    id     = "untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "${each.value.untagged * 86400}s"
    }
  }

  vulnerability_scanning_config {
    enablement_config = "INHERITED"
  }
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  for_each = local.writers

  location   = var.region
  repository = google_artifact_registry_repository.main[each.value.registry].name
  role       = "roles/artifactregistry.writer"
  member     = each.value.member
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = local.readers

  location   = var.region
  repository = google_artifact_registry_repository.main[each.value.registry].name
  role       = "roles/artifactregistry.reader"
  member     = each.value.member
}

# Each trigger has an account of its own: Cloud Build's default one can do far more than any of them needs.
resource "google_service_account" "build" {
  for_each = var.builds

  account_id   = local.accounts[each.key]
  display_name = "Cloud Build trigger ${each.key}"
}

resource "google_project_iam_member" "log" {
  for_each = var.builds

  project = var.project
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${google_service_account.build[each.key].email}"
}

resource "google_project_iam_member" "build" {
  for_each = local.grants

  project = var.project
  role    = each.value.role
  member  = "serviceAccount:${google_service_account.build[each.value.build].email}"
}

resource "google_artifact_registry_repository_iam_member" "build" {
  for_each = merge([for name, _ in var.builds : { for registry, _ in var.registries : "${name} ${registry}" => { build = name, registry = registry } }]...)

  location   = var.region
  repository = google_artifact_registry_repository.main[each.value.registry].name
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${google_service_account.build[each.value.build].email}"
}

resource "google_cloudbuild_trigger" "main" {
  for_each = var.builds

  name               = each.key
  location           = var.region
  description        = each.value.branch == null ? "Tags ${each.value.tag}" : "Branch ${each.value.branch}"
  filename           = each.value.file
  service_account    = google_service_account.build[each.key].id
  substitutions      = each.value.substitutions
  include_build_logs = "INCLUDE_BUILD_LOGS_WITH_STATUS"

  repository_event_config {
    repository = each.value.repository

    push {
      branch = each.value.branch
      tag    = each.value.tag
    }
  }

  approval_config {
    approval_required = each.value.approval
  }
}

resource "google_secret_manager_secret" "main" {
  for_each = var.secrets

  secret_id           = each.key
  labels              = local.labels
  deletion_protection = var.deletion_protection
  # A version that was destroyed by mistake can be had back for a day.
  version_destroy_ttl = "86400s"

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

resource "google_secret_manager_secret_iam_member" "main" {
  for_each = local.secrets

  secret_id = google_secret_manager_secret.main[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.member
}

# The value is sent and kept nowhere: not in the state.
resource "google_secret_manager_secret_version" "main" {
  for_each = { for name, secret in var.secrets : name => secret if secret.version != null }

  secret                 = google_secret_manager_secret.main[each.key].id
  secret_data_wo         = var.secret_values[each.key]
  secret_data_wo_version = each.value.version

  lifecycle {
    create_before_destroy = true
  }
}
