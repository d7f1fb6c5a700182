# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project        = "shop-prod"
  project_number = "123456789012"
  region         = "europe-west1"
}

run "what_nobody_takes_is_kept" {
  command = plan

  variables {
    topics = { available = { subscriptions = { exchange = {} } } }
  }

  assert {
    condition     = google_pubsub_subscription.main["exchange"].dead_letter_policy[0].max_delivery_attempts == 5 && length(google_pubsub_subscription.dead) == 1
    error_message = "After five attempts a message goes to the dead letters."
  }

  assert {
    condition     = google_pubsub_topic.main["available"].message_storage_policy[0].allowed_persistence_regions == toset(["europe-west1"])
    error_message = "Messages stay in the region."
  }
}

run "pushes_are_signed" {
  command = plan

  variables {
    topics = { available = { subscriptions = { exchange = { push_endpoint = "https://shop.example.org" } } } }
  }

  expect_failures = [var.topics]
}

run "nobody_publishes_for_everybody" {
  command = plan

  variables {
    topics = { available = { publishers = ["allUsers"] } }
  }

  expect_failures = [var.topics]
}
