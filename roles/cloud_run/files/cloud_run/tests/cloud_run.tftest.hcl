# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project = "shop-prod"
  region  = "europe-west1"
  services = {
    greeter = { image = "registry.example.org/greeter:1", protocol = "grpc", port = 50051 }
  }
}

run "private_with_an_account_of_its_own" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_service.main["greeter"].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" && !google_cloud_run_v2_service.main["greeter"].invoker_iam_disabled
    error_message = "A service is reached from inside, by whom is named."
  }

  assert {
    condition     = google_service_account.main["greeter"].account_id == "run-greeter"
    error_message = "Each service has an account of its own."
  }

  assert {
    condition     = google_cloud_run_v2_service.main["greeter"].template[0].containers[0].ports[0].name == "h2c"
    error_message = "gRPC needs HTTP/2."
  }
}

run "long_and_short_names_have_accounts_too" {
  command = plan

  variables {
    services = { a = { image = "a" }, a-service-with-a-rather-long-name-of-forty = { image = "b" } }
  }

  assert {
    condition     = alltrue([for account in google_service_account.main : length(account.account_id) >= 6 && length(account.account_id) <= 30])
    error_message = "An account's name has 6 to 30 characters."
  }
}

run "percents_add_up" {
  command = plan

  variables {
    services = { shop = { image = "a", traffic = [{ percent = 90 }] } }
  }

  expect_failures = [var.services]
}
