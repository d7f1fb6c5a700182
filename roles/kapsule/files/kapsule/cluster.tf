# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  zone   = coalesce(var.zone, "${var.region}-1")
  labels = merge({ "managed-by" = "socle", "platform" = var.name }, var.labels)
  tags   = [for name, value in local.labels : "${name}=${value}"]
}

resource "scaleway_vpc" "main" {
  name = var.name
  tags = local.tags
}

resource "scaleway_vpc_private_network" "main" {
  name   = var.name
  vpc_id = scaleway_vpc.main.id
  tags   = local.tags

  ipv4_subnet {
    subnet = var.cidr
  }
}

resource "scaleway_vpc_public_gateway_ip" "main" {
  zone = local.zone
  tags = local.tags
}

resource "scaleway_vpc_public_gateway" "main" {
  name            = var.name
  type            = var.gateway_type
  zone            = local.zone
  ip_id           = scaleway_vpc_public_gateway_ip.main.id
  bastion_enabled = false
  enable_smtp     = false
  tags            = local.tags
}

resource "scaleway_vpc_gateway_network" "main" {
  gateway_id         = scaleway_vpc_public_gateway.main.id
  private_network_id = scaleway_vpc_private_network.main.id
  zone               = local.zone
  enable_masquerade  = true

  ipam_config {
    push_default_route = true
  }
}

resource "scaleway_k8s_cluster" "main" {
  name               = var.name
  description        = "The platform ${var.name}"
  type               = var.control_plane
  version            = var.kubernetes_version
  cni                = var.cni
  private_network_id = scaleway_vpc_private_network.main.id
  pod_cidr           = var.pod_cidr
  service_cidr       = var.service_cidr
  tags               = local.tags

  # Volumes and load balancers that apps made outlive the cluster.
  delete_additional_resources = false

  auto_upgrade {
    enable                        = true
    maintenance_window_day        = "tuesday"
    maintenance_window_start_hour = var.maintenance_hour
  }

  autoscaler_config {
    balance_similar_node_groups      = true
    ignore_daemonsets_utilization    = true
    scale_down_delay_after_add       = "10m"
    scale_down_unneeded_time         = "10m"
    scale_down_utilization_threshold = 0.5
  }

  # Nodes reach the control plane by the gateway: it has to be there before them.
  depends_on = [scaleway_vpc_gateway_network.main]
}

resource "scaleway_k8s_acl" "main" {
  cluster_id = scaleway_k8s_cluster.main.id

  acl_rules {
    ip          = "${scaleway_vpc_public_gateway_ip.main.address}/32"
    description = "Nodes, by the gateway"
  }

  dynamic "acl_rules" {
    for_each = var.authorized_networks

    content {
      ip          = acl_rules.value
      description = acl_rules.key
    }
  }
}

resource "scaleway_k8s_pool" "main" {
  for_each = var.pools

  cluster_id             = scaleway_k8s_cluster.main.id
  name                   = "${each.key}-${substr(md5(join(" ", [each.value.machine, each.value.disk, coalesce(each.value.zone, local.zone)])), 0, 4)}"
  zone                   = coalesce(each.value.zone, local.zone)
  node_type              = each.value.machine
  size                   = max(each.value.min, 1)
  min_size               = each.value.min
  max_size               = each.value.max
  autoscaling            = true
  autohealing            = true
  public_ip_disabled     = true
  root_volume_type       = "sbs_5k"
  root_volume_size_in_gb = each.value.disk
  wait_for_pool_ready    = true
  labels                 = merge({ pool = each.key }, each.value.labels)
  tags                   = local.tags

  upgrade_policy {
    max_surge       = 1
    max_unavailable = 0
  }

  dynamic "taints" {
    for_each = each.value.taints

    content {
      key    = taints.value.key
      value  = taints.value.value
      effect = taints.value.effect
    }
  }

  lifecycle {
    # Scaleway cannot change the machines of a pool: another pool, named by its machines, is there before this one goes.
    create_before_destroy = true
    # How many nodes there are is the autoscaler's.
    ignore_changes = [size]
  }
}

# Kept when the cluster's load balancer is made anew, so that names stay right.
resource "scaleway_lb_ip" "main" {
  zone = local.zone
  tags = local.tags
}

resource "scaleway_domain_record" "main" {
  for_each = var.dns_zone == null || var.domain == null ? toset([]) : toset(["", "*"])

  dns_zone = var.dns_zone
  name     = join(".", compact([each.key, trimsuffix(trimsuffix(coalesce(var.domain, "-"), coalesce(var.dns_zone, "-")), ".")]))
  type     = "A"
  data     = scaleway_lb_ip.main.ip_address
  ttl      = 300
}
