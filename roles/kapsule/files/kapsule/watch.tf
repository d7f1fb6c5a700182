# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

resource "scaleway_cockpit_source" "main" {
  for_each = toset(["logs", "metrics"])

  name           = "${var.name}-${each.key}"
  type           = each.key
  retention_days = var.log_retention_days
}

resource "scaleway_cockpit_alert_manager" "main" {
  count = length(var.alarm_emails) > 0 ? 1 : 0

  dynamic "contact_points" {
    for_each = var.alarm_emails

    content {
      email = contact_points.value
    }
  }
}

resource "scaleway_billing_budget" "main" {
  count = var.monthly_budget == null ? 0 : 1

  consumption_limit = var.monthly_budget
  enabled           = true
}

resource "scaleway_billing_budget_alert" "main" {
  count = var.monthly_budget == null ? 0 : 1

  budget_id = scaleway_billing_budget.main[0].id
  threshold = 100
}

resource "scaleway_billing_budget_alert_notification" "main" {
  count = var.monthly_budget == null ? 0 : 1

  budget_alert_id = scaleway_billing_budget_alert.main[0].id
  email_addresses = var.alarm_emails
}
