# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # Graviton: a family, its generation, and a g after that; m7g, c8gn, t4g, but not g5.
  arm = { for name, pool in var.pools : name => can(regex("^([a-z]+[0-9]+g[a-z]*|a1)\\.", pool.machine)) }
}

resource "aws_launch_template" "pool" {
  for_each = var.pools

  name                   = "${var.name}-${each.key}"
  description            = "Nodes of pool ${each.key}"
  update_default_version = true
  # Here and not in the node group, where another machine type would make another group.
  instance_type = each.value.machine

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # Pods have identities of their own, and no way to the node's.
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  network_interfaces {
    device_index                = 0
    associate_public_ip_address = "false"
    delete_on_termination       = "true"
    security_groups             = [aws_eks_cluster.main.vpc_config[0].cluster_security_group_id]
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = each.value.disk
      volume_type           = "gp3"
      encrypted             = "true"
      kms_key_id            = var.volume_kms_key_arn
      delete_on_termination = "true"
    }
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])

    content {
      resource_type = tag_specifications.value
      tags          = merge({ "managed-by" = "socle", "platform" = var.name }, var.labels, { Name = "${var.name}-${each.key}" })
    }
  }
}

resource "aws_eks_node_group" "pool" {
  for_each = var.pools

  cluster_name           = aws_eks_cluster.main.name
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = var.private_subnet_ids
  version                = var.kubernetes_version
  ami_type               = local.arm[each.key] ? "AL2023_ARM_64_STANDARD" : "AL2023_x86_64_STANDARD"
  capacity_type          = each.value.spot ? "SPOT" : "ON_DEMAND"
  labels                 = merge({ pool = each.key }, each.value.labels)

  launch_template {
    id      = aws_launch_template.pool[each.key].id
    version = tostring(aws_launch_template.pool[each.key].latest_version)
  }

  scaling_config {
    min_size     = each.value.min
    max_size     = each.value.max
    desired_size = max(each.value.min, 1)
  }

  update_config {
    max_unavailable_percentage = 25
  }

  node_repair_config {
    enabled = true
  }

  dynamic "taint" {
    for_each = each.value.taints

    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  lifecycle {
    # The new group is there before the old one goes, and the autoscaler alone says how many nodes there are.
    create_before_destroy = true
    ignore_changes        = [scaling_config[0].desired_size]
  }

  depends_on = [aws_eks_addon.early, aws_iam_role_policy_attachment.node]
}

# What nodes need before they are ready, and what needs nodes. Auto Mode brings all of it.
resource "aws_eks_addon" "early" {
  for_each = local.auto ? toset([]) : toset(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"])

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  configuration_values        = each.key == "vpc-cni" ? jsonencode({ enableNetworkPolicy = "true" }) : null

  dynamic "pod_identity_association" {
    for_each = each.key == "vpc-cni" ? [local.managed.network.name] : []

    content {
      service_account = pod_identity_association.value
      role_arn        = aws_iam_role.identity["network"].arn
    }
  }
}

resource "aws_eks_addon" "late" {
  for_each = local.auto ? toset([]) : toset(["aws-ebs-csi-driver", "coredns"])

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = each.key == "aws-ebs-csi-driver" ? [local.managed.disks.name] : []

    content {
      service_account = pod_identity_association.value
      role_arn        = aws_iam_role.identity["disks"].arn
    }
  }

  depends_on = [aws_eks_node_group.pool]
}
