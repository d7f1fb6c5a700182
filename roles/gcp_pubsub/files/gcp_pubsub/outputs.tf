# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "topics" {
  description = "Each topic as projects/PROJECT/topics/NAME, by name."
  value       = { for name, topic in google_pubsub_topic.main : name => "projects/${var.project}/topics/${topic.name}" }
}

output "subscriptions" {
  description = "Each subscription as projects/PROJECT/subscriptions/NAME, by name."
  value       = { for name, subscription in google_pubsub_subscription.main : name => "projects/${var.project}/subscriptions/${subscription.name}" }
}

output "dead_letters" {
  description = "The subscription that keeps what nobody could take, by topic."
  value       = { for name, subscription in google_pubsub_subscription.dead : name => "projects/${var.project}/subscriptions/${subscription.name}" }
}
