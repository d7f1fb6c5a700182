# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

resource "google_storage_bucket" "static" {
  # checkov:skip=CKV_GCP_114:Its files are for everybody: that is what a bucket of static files is for
  # checkov:skip=CKV_GCP_62:Who reads public files is in the load balancer's log
  # checkov:skip=CKV_GCP_63:It has no access log of its own, so none in itself
  count = var.static_bucket == null ? 0 : 1

  name                        = var.static_bucket
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      num_newer_versions         = 5
      days_since_noncurrent_time = 30
    }
  }

  website {
    main_page_suffix = "index.html"
    not_found_page   = "404.html"
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]

    content {
      default_kms_key_name = encryption.value
    }
  }
}

resource "google_storage_bucket_iam_member" "static" {
  # checkov:skip=CKV_GCP_28:Its files are for everybody; the role reads one file by its name and lists none
  count = var.static_bucket == null ? 0 : 1

  bucket = google_storage_bucket.static[0].name
  role   = "roles/storage.legacyObjectReader"
  member = "allUsers"
}

resource "google_compute_backend_bucket" "main" {
  count = var.static_bucket == null ? 0 : 1

  name             = "${var.name}-static"
  bucket_name      = google_storage_bucket.static[0].name
  enable_cdn       = true
  compression_mode = "AUTOMATIC"

  cdn_policy {
    cache_mode       = "CACHE_ALL_STATIC"
    default_ttl      = 3600
    client_ttl       = 3600
    max_ttl          = 86400
    negative_caching = true
  }
}

locals {
  attacks = ["cve-canary", "sqli-v33-stable", "xss-v33-stable", "lfi-v33-stable", "rce-v33-stable", "scannerdetection-v33-stable"]
}

resource "google_compute_security_policy" "main" {
  count = var.armor ? 1 : 0

  name   = var.name
  type   = "CLOUD_ARMOR"
  labels = local.labels

  dynamic "rule" {
    for_each = local.attacks

    content {
      action      = "deny(403)"
      priority    = 1000 + rule.key * 10
      preview     = var.armor_preview
      description = "Known attacks: ${rule.value}"

      match {
        expr {
          # The first level alone, but of known holes all: the others refuse a good deal that is no attack.
          expression = rule.value == "cve-canary" ? "evaluatePreconfiguredWaf('cve-canary')" : "evaluatePreconfiguredWaf('${rule.value}', {'sensitivity': 1})"
        }
      }
    }
  }

  rule {
    action      = "throttle"
    priority    = 2000
    preview     = var.armor_preview
    description = "Who asks too often waits"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.armor_rate
        interval_sec = 60
      }
    }
  }

  rule {
    action      = "allow"
    priority    = 2147483647
    description = "Everybody else"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}
