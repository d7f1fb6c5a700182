# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project = "shop-prod"
  region  = "europe-west1"
}

run "a_project_that_is_there_is_only_read" {
  command = plan

  assert {
    condition     = length(google_project.main) == 0 && length(google_kms_crypto_key.main) == 0
    error_message = "Nothing but what was asked for is made."
  }

  assert {
    condition     = toset([for config in google_project_iam_audit_config.main.audit_log_config : config.log_type]) == toset(["ADMIN_READ", "DATA_READ", "DATA_WRITE"])
    error_message = "Who reads and who writes is logged."
  }
}

run "a_new_project_has_no_default_network" {
  command = plan

  variables {
    create          = true
    billing_account = "012345-6789AB-CDEF01"
    parent          = "folders/123"
  }

  assert {
    condition     = google_project.main[0].auto_create_network == false && google_project.main[0].deletion_policy == "PREVENT"
    error_message = "The default network is open to the world, and a project is not destroyed by mistake."
  }
}

run "pipelines_sign_in_from_their_repository_alone" {
  command = plan

  variables {
    service_accounts = { deployer = {} }
    federation       = { gitlab = { kind = "gitlab", repositories = ["group/shop"], refs = ["refs/heads/main"], service_account = "deployer" } }
  }

  assert {
    condition     = startswith(google_iam_workload_identity_pool_provider.main["gitlab"].attribute_condition, "assertion.project_path in [\"group/shop\"] && ")
    error_message = "Without a condition every repository of the server could sign in."
  }
}

run "a_budget_needs_an_account" {
  command = plan

  variables {
    monthly_budget = 100
  }

  expect_failures = [var.billing_account]
}

run "nobody_becomes_owner" {
  command = plan

  variables {
    service_accounts = { deployer = { roles = ["roles/owner"] } }
  }

  expect_failures = [var.service_accounts]
}
