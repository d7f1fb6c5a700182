# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  project = var.create ? google_project.main[0].project_id : var.project
  apis = setunion(
    var.apis,
    var.monthly_budget == null ? [] : ["billingbudgets"],
    length(var.constraints) == 0 ? [] : ["orgpolicy"],
  )
  number = var.create ? google_project.main[0].number : data.google_project.main[0].number
}

resource "google_project" "main" {
  # checkov:skip=CKV2_GCP_5:Audit logs of all services are on below, for projects that were not made here too; that joins it by a local value
  count = var.create ? 1 : 0

  project_id      = var.project
  name            = var.project
  folder_id       = startswith(var.parent, "folders/") ? trimprefix(var.parent, "folders/") : null
  org_id          = startswith(var.parent, "organizations/") ? trimprefix(var.parent, "organizations/") : null
  billing_account = var.billing_account
  labels          = local.labels
  # The default network is open to the world on SSH and RDP.
  auto_create_network = false
  deletion_policy     = var.deletion_protection ? "PREVENT" : "DELETE"
}

data "google_project" "main" {
  count = var.create ? 0 : 1

  project_id = var.project
}

resource "google_project_service" "main" {
  for_each = local.apis

  project            = local.project
  service            = "${each.value}.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_iam_audit_config" "main" {
  project = local.project
  service = "allServices"

  audit_log_config {
    log_type = "ADMIN_READ"
  }

  audit_log_config {
    log_type         = "DATA_READ"
    exempted_members = var.audit_exempted
  }

  audit_log_config {
    log_type = "DATA_WRITE"
  }
}

resource "google_org_policy_policy" "main" {
  for_each = var.constraints

  name   = "projects/${local.project}/policies/${each.value}"
  parent = "projects/${local.project}"

  spec {
    rules {
      enforce = "TRUE"
    }
  }

  depends_on = [google_project_service.main]
}

resource "google_billing_budget" "main" {
  count = var.monthly_budget == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = var.project

  budget_filter {
    projects = ["projects/${local.number}"]
  }

  amount {
    specified_amount {
      units = tostring(var.monthly_budget)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]

    content {
      threshold_percent = threshold_rules.value
    }
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  depends_on = [google_project_service.main]
}
