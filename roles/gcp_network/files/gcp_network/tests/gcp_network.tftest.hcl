# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project = "shop-prod"
  region  = "europe-west1"
  name    = "shop"
  nodes   = "10.128.0.0/20"
}

run "private_by_default" {
  command = plan

  assert {
    condition     = google_compute_subnetwork.main.private_ip_google_access && google_compute_subnetwork.main.log_config[0].flow_sampling > 0
    error_message = "Google's interfaces are reached from inside, and flows are logged."
  }

  assert {
    condition     = length(google_compute_router_nat.main) == 1 && length(google_compute_address.nat) == 0
    error_message = "The way out is Cloud NAT."
  }
}

run "ranges_that_overlap_are_refused" {
  command = plan

  variables {
    pods     = "10.128.0.0/14"
    services = "10.136.0.0/20"
  }

  expect_failures = [google_compute_network.main]
}

run "so_are_those_of_a_peer" {
  command = plan

  variables {
    reserved = { other = "10.0.0.0/8" }
  }

  expect_failures = [google_compute_network.main]
}

run "neighbours_are_not" {
  command = plan

  variables {
    pods     = "10.132.0.0/14"
    services = "10.128.16.0/20"
    reserved = { control_plane = "10.128.32.0/28", other = "10.128.32.16/28" }
  }
}
