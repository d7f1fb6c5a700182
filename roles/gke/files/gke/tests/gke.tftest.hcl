# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  project = "shop-prod"
  region  = "europe-west1"
  name    = "shop"
  network = "projects/shop-prod/global/networks/shop"
  subnet  = "projects/shop-prod/regions/europe-west1/subnetworks/shop"
}

run "autopilot_with_private_nodes" {
  command = plan

  assert {
    condition     = google_container_cluster.main.enable_autopilot && google_container_cluster.main.private_cluster_config[0].enable_private_nodes
    error_message = "Nodes have no public address."
  }

  assert {
    condition     = length(google_container_cluster.main.master_authorized_networks_config[0].cidr_blocks) == 0
    error_message = "Nobody reaches the control plane from outside who was not named."
  }

  assert {
    condition     = google_container_cluster.main.deletion_protection && length(google_gke_backup_backup_plan.main) == 1
    error_message = "The cluster is kept, and backed up."
  }

  assert {
    condition     = output.manifests[0].parameters["replication-type"] == "regional-pd"
    error_message = "Volumes have a copy in a second zone."
  }
}

run "standard_with_pools" {
  command = plan

  variables {
    mode  = "standard"
    pools = { default = { max = 6, taints = ["kind=batch:NO_SCHEDULE"] } }
  }

  assert {
    condition     = google_container_node_pool.main["default"].network_config[0].enable_private_nodes
    error_message = "Nodes of pools have no public address either."
  }

  assert {
    condition     = google_container_node_pool.main["default"].node_config[0].taint[0].effect == "NO_SCHEDULE"
    error_message = "A taint is KEY=VALUE:EFFECT."
  }
}

run "everybody_is_not_a_network" {
  command = plan

  variables {
    authorized_networks = { world = "0.0.0.0/0" }
  }

  expect_failures = [var.authorized_networks]
}

run "a_zone_is_not_a_region" {
  command = plan

  variables {
    region = "europe-west1-b"
  }

  expect_failures = [var.region]
}

run "autopilot_has_no_pools" {
  command = plan

  variables {
    pools = { default = {} }
  }

  expect_failures = [var.pools]
}
