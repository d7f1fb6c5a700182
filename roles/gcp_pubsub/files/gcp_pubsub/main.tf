# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  regions = length(var.regions) > 0 ? var.regions : [var.region]
  dead    = { for name, topic in var.topics : name => topic if topic.dead_letter }
  subscriptions = merge([
    for topic, entry in var.topics : { for name, subscription in entry.subscriptions : name => merge(subscription, { topic = topic, dead_letter = entry.dead_letter }) }
  ]...)
  agent = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  publishers = merge([
    for topic, entry in var.topics : { for member in entry.publishers : "${topic} ${member}" => { topic = topic, member = member } }
  ]...)
  subscribers = merge([
    for name, entry in local.subscriptions : { for member in entry.subscribers : "${name} ${member}" => { subscription = name, member = member } }
  ]...)
}

resource "google_pubsub_schema" "main" {
  for_each = { for name, topic in var.topics : name => topic.schema if topic.schema != null }

  name       = each.key
  type       = each.value.type
  definition = each.value.definition
}

resource "google_pubsub_topic" "main" {
  # checkov:skip=CKV_GCP_83:A key of one's own is an option of the layer: kms_key
  for_each = var.topics

  name                       = each.key
  labels                     = local.labels
  kms_key_name               = var.kms_key
  message_retention_duration = "${each.value.retention}s"

  message_storage_policy {
    allowed_persistence_regions = local.regions
    enforce_in_transit          = true
  }

  dynamic "schema_settings" {
    for_each = each.value.schema == null ? [] : [each.value.schema]

    content {
      schema   = google_pubsub_schema.main[each.key].id
      encoding = schema_settings.value.encoding
    }
  }
}

# What nobody could take is kept, for somebody to look at.
resource "google_pubsub_topic" "dead" {
  # checkov:skip=CKV_GCP_83:A key of one's own is an option of the layer: kms_key
  for_each = local.dead

  name                       = "${each.key}-dead"
  labels                     = local.labels
  kms_key_name               = var.kms_key
  message_retention_duration = "2678400s"

  message_storage_policy {
    allowed_persistence_regions = local.regions
    enforce_in_transit          = true
  }
}

resource "google_pubsub_subscription" "dead" {
  for_each = local.dead

  name                       = "${each.key}-dead"
  topic                      = google_pubsub_topic.dead[each.key].id
  labels                     = local.labels
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "main" {
  for_each = local.subscriptions

  name                         = each.key
  topic                        = google_pubsub_topic.main[each.value.topic].id
  labels                       = local.labels
  ack_deadline_seconds         = each.value.ack
  message_retention_duration   = "${each.value.retention}s"
  filter                       = each.value.filter
  enable_message_ordering      = each.value.ordering
  enable_exactly_once_delivery = each.value.exactly_once

  # One that is quiet for a month is not one that nobody wants.
  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "${each.value.backoff_min}s"
    maximum_backoff = "${each.value.backoff_max}s"
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.dead_letter ? [true] : []

    content {
      dead_letter_topic     = google_pubsub_topic.dead[each.value.topic].id
      max_delivery_attempts = each.value.attempts
    }
  }

  dynamic "push_config" {
    for_each = each.value.push_endpoint == null ? [] : [true]

    content {
      push_endpoint = each.value.push_endpoint

      oidc_token {
        service_account_email = each.value.push_service_account
        audience              = each.value.push_endpoint
      }
    }
  }
}

# Pub/Sub itself moves the dead letters, and needs the right to.
resource "google_pubsub_topic_iam_member" "dead" {
  for_each = local.dead

  topic  = google_pubsub_topic.dead[each.key].name
  role   = "roles/pubsub.publisher"
  member = local.agent
}

resource "google_pubsub_subscription_iam_member" "dead" {
  for_each = { for name, entry in local.subscriptions : name => entry if entry.dead_letter }

  subscription = google_pubsub_subscription.main[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = local.publishers

  topic  = google_pubsub_topic.main[each.value.topic].name
  role   = "roles/pubsub.publisher"
  member = each.value.member
}

resource "google_pubsub_subscription_iam_member" "subscriber" {
  for_each = local.subscribers

  subscription = google_pubsub_subscription.main[each.value.subscription].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.member
}
