# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  network = "projects/${var.project}/global/networks/${google_compute_network.main.name}"
  # Ranges by what they are for; no two of them may overlap.
  ranges = { for name, range in merge({
    nodes            = var.nodes
    pods             = var.pods
    services         = var.services
    private_services = var.private_services
    proxies          = var.proxies
  }, var.reserved) : name => range if range != null }
  # Two networks overlap when, both cut to the shorter of the two prefixes, they are the same.
  pairs = flatten([
    for i, one in keys(local.ranges) : [for other in slice(keys(local.ranges), i + 1, length(local.ranges)) : { one = one, other = other }]
  ])
  overlaps = [
    for pair in local.pairs : "${pair.one} (${local.ranges[pair.one]}) and ${pair.other} (${local.ranges[pair.other]})"
    if length(distinct([
      for range in [local.ranges[pair.one], local.ranges[pair.other]] :
      cidrsubnet("${split("/", range)[0]}/${min([for each in [local.ranges[pair.one], local.ranges[pair.other]] : tonumber(split("/", each)[1])]...)}", 0, 0)
    ])) == 1
  ]
}

resource "google_compute_network" "main" {
  name                    = var.name
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"

  lifecycle {
    precondition {
      condition     = length(local.overlaps) == 0
      error_message = "Ranges overlap: ${join(", ", local.overlaps)}. Choose others: they cannot be changed later."
    }
  }
}

resource "google_compute_subnetwork" "main" {
  name                       = "${var.name}-${var.region}"
  network                    = google_compute_network.main.name
  ip_cidr_range              = var.nodes
  private_ip_google_access   = true
  private_ipv6_google_access = "DISABLE_GOOGLE_ACCESS"
  stack_type                 = "IPV4_ONLY"

  dynamic "secondary_ip_range" {
    for_each = var.pods == null ? {} : { pods = var.pods, services = var.services }

    content {
      range_name    = secondary_ip_range.key
      ip_cidr_range = secondary_ip_range.value
    }
  }

  dynamic "log_config" {
    for_each = var.flow_logs > 0 ? [var.flow_logs] : []

    content {
      aggregation_interval = "INTERVAL_5_MIN"
      flow_sampling        = log_config.value
      metadata             = "INCLUDE_ALL_METADATA"
    }
  }
}

resource "google_compute_subnetwork" "proxies" {
  # checkov:skip=CKV_GCP_26:A subnet for Google's own proxies refuses flow logs
  # checkov:skip=CKV_GCP_74:A subnet for Google's own proxies has no machines that would use it
  # checkov:skip=CKV_GCP_76:A subnet for Google's own proxies has no IPv6
  count = var.proxies == null ? 0 : 1

  name          = "${var.name}-${var.region}-proxies"
  network       = google_compute_network.main.name
  ip_cidr_range = var.proxies
  purpose       = "REGIONAL_MANAGED_PROXY"
  role          = "ACTIVE"
}

resource "google_compute_router" "main" {
  count = var.nat ? 1 : 0

  name    = "${var.name}-${var.region}"
  network = google_compute_network.main.name
}

resource "google_compute_address" "nat" {
  count = var.nat ? var.nat_addresses : 0

  name   = "${var.name}-nat-${count.index + 1}"
  labels = local.labels
}

resource "google_compute_router_nat" "main" {
  count = var.nat ? 1 : 0

  name                                = "${var.name}-${var.region}"
  router                              = google_compute_router.main[0].name
  nat_ip_allocate_option              = var.nat_addresses > 0 ? "MANUAL_ONLY" : "AUTO_ONLY"
  nat_ips                             = var.nat_addresses > 0 ? google_compute_address.nat[*].self_link : null
  source_subnetwork_ip_ranges_to_nat  = "LIST_OF_SUBNETWORKS"
  enable_endpoint_independent_mapping = false
  enable_dynamic_port_allocation      = true
  min_ports_per_vm                    = 64
  max_ports_per_vm                    = 4096

  subnetwork {
    name                    = google_compute_subnetwork.main.id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

resource "google_compute_global_address" "private_services" {
  count = var.private_services == null ? 0 : 1

  name          = "${var.name}-private-services"
  network       = local.network
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = split("/", var.private_services)[0]
  prefix_length = tonumber(split("/", var.private_services)[1])
  labels        = local.labels
}

resource "google_service_networking_connection" "main" {
  count = var.private_services == null ? 0 : 1

  network                 = local.network
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.private_services[0].name]
  # The peering cannot be removed while Google still tidies up a database that is gone; it goes with the network.
  deletion_policy = "ABANDON"
}

resource "google_compute_network_peering" "main" {
  for_each = var.peers

  name         = "${var.name}-${each.key}"
  network      = local.network
  peer_network = each.value
  # Only what we say is reached, never somebody's public ranges.
  import_subnet_routes_with_public_ip = false
  export_subnet_routes_with_public_ip = false

  depends_on = [google_compute_subnetwork.main]
}
