# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

resource "google_logging_project_bucket_config" "main" {
  project        = "projects/${var.project}"
  location       = "global"
  bucket_id      = "_Default"
  retention_days = var.log_days
}

# The audit log lies apart, where those who run the platform cannot tidy it away.
resource "google_storage_bucket" "audit" {
  # checkov:skip=CKV_GCP_62:It is the log: a log of who reads it is the project's audit log of Cloud Storage
  # checkov:skip=CKV_GCP_63:It has no access log of its own, so none in itself
  # checkov:skip=CKV_GCP_78:A bucket with a retention policy cannot have versions, and needs none: nothing in it can be overwritten
  name                        = "${var.project}-${var.name}-audit"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  retention_policy {
    retention_period = tostring(var.audit_days * 86400)
    is_locked        = var.audit_lock
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age = var.audit_days + 1
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]

    content {
      default_kms_key_name = encryption.value
    }
  }
}

resource "google_logging_project_sink" "audit" {
  # checkov:skip=CKV2_GCP_4:The lock cannot be undone, so it is the owner's to say: audit_lock
  name                   = "${var.name}-audit"
  destination            = "storage.googleapis.com/${google_storage_bucket.audit.name}"
  filter                 = "logName:\"cloudaudit.googleapis.com\""
  unique_writer_identity = true
}

resource "google_storage_bucket_iam_member" "audit" {
  bucket = google_storage_bucket.audit.name
  role   = "roles/storage.objectCreator"
  member = google_logging_project_sink.audit.writer_identity
}
