# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  auto    = var.mode == "auto"
  account = data.aws_caller_identity.current.account_id
  kms_key = var.kms_key_arn == null ? aws_kms_key.main[0].arn : var.kms_key_arn

  log_group = "/aws/eks/${var.name}/cluster"
}

data "aws_caller_identity" "current" {}

resource "aws_kms_key" "main" {
  count = var.kms_key_arn == null ? 1 : 0

  description             = "Secrets and logs of the cluster ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnedByTheAccount"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsOfTheControlPlane"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${local.account}:log-group:${local.log_group}" } }
      },
    ]
  })
}

resource "aws_kms_alias" "main" {
  count = var.kms_key_arn == null ? 1 : 0

  name          = "alias/${var.name}-eks"
  target_key_id = aws_kms_key.main[0].key_id
}

# Made before the cluster, which would make one that keeps everything for ever, unencrypted.
resource "aws_cloudwatch_log_group" "cluster" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key
}

resource "aws_iam_role" "cluster" {
  name        = "${var.name}-eks-cluster"
  description = "The control plane of ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  for_each = toset(concat(["AmazonEKSClusterPolicy"], local.auto ? [
    "AmazonEKSBlockStoragePolicy", "AmazonEKSComputePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy",
  ] : []))

  role       = aws_iam_role.cluster.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_iam_role" "node" {
  name        = "${var.name}-eks-node"
  description = "Nodes of ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset([local.auto ? "AmazonEKSWorkerNodeMinimalPolicy" : "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_eks_cluster" "main" {
  # checkov:skip=CKV_AWS_339: its list of versions is older than the default here, which EKS supports until 2027
  # checkov:skip=CKV_AWS_39: from outside it is reached by authorized_networks only; with none, not at all
  name                          = var.name
  version                       = var.kubernetes_version
  role_arn                      = aws_iam_role.cluster.arn
  deletion_protection           = var.deletion_protection
  bootstrap_self_managed_addons = false
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = var.creator_is_admin
  }

  vpc_config {
    subnet_ids              = var.private_subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.authorized_networks) > 0
    public_access_cidrs     = length(var.authorized_networks) > 0 ? values(var.authorized_networks) : null
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = local.kms_key
    }
  }

  # Auto Mode is these three, all on or all off.
  compute_config {
    enabled       = local.auto
    node_pools    = local.auto ? ["general-purpose", "system"] : []
    node_role_arn = local.auto ? aws_iam_role.node.arn : null
  }

  kubernetes_network_config {
    service_ipv4_cidr = var.service_cidr

    elastic_load_balancing {
      enabled = local.auto
    }
  }

  storage_config {
    block_storage {
      enabled = local.auto
    }
  }

  upgrade_policy {
    support_type = "STANDARD"
  }

  zonal_shift_config {
    enabled = true
  }

  depends_on = [aws_cloudwatch_log_group.cluster, aws_iam_role_policy_attachment.cluster]
}

resource "aws_vpc_security_group_ingress_rule" "inner" {
  for_each = var.inner_networks

  security_group_id = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  description       = "The control plane, from ${each.key}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_eks_access_entry" "main" {
  for_each = var.access

  cluster_name      = aws_eks_cluster.main.name
  principal_arn     = each.value.principal_arn
  kubernetes_groups = each.value.groups
  type              = "STANDARD"
}

resource "aws_eks_access_policy_association" "main" {
  for_each = { for name, entry in var.access : name => entry if entry.level != null }

  cluster_name  = aws_eks_cluster.main.name
  principal_arn = aws_eks_access_entry.main[each.key].principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/${local.levels[each.value.level]}"

  access_scope {
    type       = length(each.value.namespaces) > 0 ? "namespace" : "cluster"
    namespaces = each.value.namespaces
  }
}

locals {
  levels = {
    cluster-admin = "AmazonEKSClusterAdminPolicy"
    admin         = "AmazonEKSAdminPolicy"
    edit          = "AmazonEKSEditPolicy"
    view          = "AmazonEKSViewPolicy"
  }
}
