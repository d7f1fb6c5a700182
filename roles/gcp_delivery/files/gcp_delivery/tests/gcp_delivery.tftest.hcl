# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project = "shop-prod"
  region  = "europe-west1"
  name    = "shop"
}

run "the_audit_log_lies_apart" {
  command = plan

  assert {
    condition     = google_storage_bucket.audit.public_access_prevention == "enforced" && google_storage_bucket.audit.retention_policy[0].retention_period == "34560000"
    error_message = "Nobody can tidy away the audit log before its time."
  }
}

run "tags_are_not_moved" {
  command = plan

  variables {
    registries = { shop = {} }
  }

  assert {
    condition     = google_artifact_registry_repository.main["shop"].docker_config[0].immutable_tags && output.registries["shop"] == "europe-west1-docker.pkg.dev/shop-prod/shop"
    error_message = "A tag means one image for ever."
  }
}

run "alerts_say_what_to_do" {
  command = plan

  variables {
    watch        = ["gke", "pubsub"]
    alert_emails = ["ops@example.org"]
  }

  assert {
    condition     = length(google_monitoring_alert_policy.main) == 4 && alltrue([for policy in google_monitoring_alert_policy.main : length(policy.documentation[0].content) > 0])
    error_message = "An alert without a next step helps nobody."
  }
}

run "values_belong_to_secrets" {
  command = plan

  variables {
    secrets = { token = { version = 1 } }
  }

  expect_failures = [var.secret_values]
}

run "registries_are_private" {
  command = plan

  variables {
    registries = { shop = { readers = ["allUsers"] } }
  }

  expect_failures = [var.registries]
}
