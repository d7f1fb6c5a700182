# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project = "shop-prod"
  region  = "europe-west1"
  name    = "shop"
  domains = ["shop.example.org"]
}

run "without_backends_it_keeps_the_address_and_the_certificates" {
  command = plan

  assert {
    condition     = length(google_compute_global_forwarding_rule.https) == 0 && length(google_certificate_manager_certificate.main) == 1 && output.certificate_map == "shop"
    error_message = "A Gateway takes them by name."
  }
}

run "pods_speak_grpc" {
  command = plan

  variables {
    network  = "projects/shop-prod/global/networks/shop"
    subnet   = "projects/shop-prod/regions/europe-west1/subnetworks/shop"
    backends = { greeter = { zones = ["europe-west1-b"], grpc = true } }
  }

  assert {
    condition     = google_compute_backend_service.main["greeter"].protocol == "H2C" && length(google_compute_health_check.main["greeter"].grpc_health_check) == 1
    error_message = "gRPC goes to the pods as HTTP/2 and is checked as gRPC."
  }

  assert {
    condition     = google_compute_network_endpoint_group.main["greeter europe-west1-b"].description == null && output.endpoint_groups["greeter"] == "shop-greeter"
    error_message = "GKE takes over a group without a description only."
  }

  assert {
    condition     = google_compute_ssl_policy.main.min_tls_version == "TLS_1_2" && google_compute_url_map.redirect[0].default_url_redirect[0].https_redirect
    error_message = "Nothing is served without TLS."
  }
}

run "two_backends_in_one_place_are_refused" {
  command = plan

  variables {
    backends = { one = { cloud_run = "one" }, other = { cloud_run = "other" } }
  }

  expect_failures = [google_compute_url_map.main]
}
