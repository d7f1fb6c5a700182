# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

resource "google_storage_bucket" "main" {
  # checkov:skip=CKV_GCP_62:Who reads and writes is in the project's audit log (data access)
  # checkov:skip=CKV_GCP_63:It has no access log of its own, so none in itself
  for_each = var.buckets

  name                        = each.key
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = each.value.old_days
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]

    content {
      default_kms_key_name = encryption.value
    }
  }
}

resource "google_storage_bucket_iam_member" "main" {
  for_each = merge(
    merge([for name, bucket in var.buckets : { for member in bucket.writers : "${name} writes ${member}" => { bucket = name, member = member, role = "roles/storage.objectUser" } }]...),
    merge([for name, bucket in var.buckets : { for member in bucket.readers : "${name} reads ${member}" => { bucket = name, member = member, role = "roles/storage.objectViewer" } }]...),
  )

  bucket = google_storage_bucket.main[each.value.bucket].name
  role   = each.value.role
  member = each.value.member
}
