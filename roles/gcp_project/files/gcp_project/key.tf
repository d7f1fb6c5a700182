# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # Made of the number: a data source would be read again after each change of the project, and the grant made anew.
  # The account with which each of Google's services uses the key, and the interface that makes it.
  agents = {
    artifactregistry = "service-${local.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    compute          = "service-${local.number}@compute-system.iam.gserviceaccount.com"
    container        = "service-${local.number}@container-engine-robot.iam.gserviceaccount.com"
    gkebackup        = "service-${local.number}@gcp-sa-gkebackup.iam.gserviceaccount.com"
    pubsub           = "service-${local.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    run              = "service-${local.number}@serverless-robot-prod.iam.gserviceaccount.com"
    secretmanager    = "service-${local.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    sqladmin         = "service-${local.number}@gcp-sa-cloud-sql.iam.gserviceaccount.com"
    storage          = "service-${local.number}@gs-project-accounts.iam.gserviceaccount.com"
  }
  key = "projects/${var.project}/locations/${var.region}/keyRings/platform/cryptoKeys/platform"
}

resource "google_kms_key_ring" "main" {
  count = var.customer_key ? 1 : 0

  project  = local.project
  name     = "platform"
  location = var.region

  depends_on = [google_project_service.main]
}

resource "google_kms_crypto_key" "main" {
  count = var.customer_key ? 1 : 0

  name            = "platform"
  key_ring        = google_kms_key_ring.main[0].id
  rotation_period = "${var.customer_key_rotation_days * 86400}s"
  labels          = local.labels
  # What it encrypted is lost with it.
  destroy_scheduled_duration = "2592000s"

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each = { for api, agent in local.agents : api => agent if var.customer_key && (api == "storage" || contains(var.apis, api)) }

  crypto_key_id = google_kms_crypto_key.main[0].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${each.value}"

  depends_on = [google_project_service.main]
}
