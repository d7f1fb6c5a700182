# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "cluster" {
  description = "The cluster's name."
  value       = var.name
}

output "endpoint" {
  description = "Where the API server is reached."
  value       = aws_eks_cluster.main.endpoint
}

output "certificate_authority" {
  description = "The authority of the API server's certificate, in base64."
  value       = aws_eks_cluster.main.certificate_authority[0].data
}

output "join" {
  description = "How the cluster is joined without a key: tokens are made by the caller's own AWS identity, for this cluster and region."
  value = {
    kind                  = "eks"
    name                  = var.name
    region                = var.region
    endpoint              = aws_eks_cluster.main.endpoint
    certificate_authority = aws_eks_cluster.main.certificate_authority[0].data
  }
}

output "cluster_security_group_id" {
  description = "The security group of nodes and control plane: what a database lets in."
  value       = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
}

output "dns_zone_id" {
  description = "The zone of names; null without one."
  value       = local.zone_id
}

output "name_servers" {
  description = "Name servers of a zone made here, for whoever keeps the zone above."
  value       = var.create_dns_zone ? aws_route53_zone.main[0].name_servers : []
}

output "certificate_arn" {
  description = "The certificate of the domain and all names below it; null without one."
  value       = local.certified ? aws_acm_certificate.main[0].arn : null
}

output "service_accounts" {
  description = "Service accounts that have a role in AWS: install the software under these names."
  value       = local.service_accounts
}

output "load_balancer_controller" {
  description = "Values for the chart of the AWS Load Balancer Controller; null in Auto Mode, which has its own."
  value = local.auto ? null : {
    clusterName    = var.name
    region         = var.region
    vpcId          = var.vpc_id
    enableShield   = false
    enableWaf      = false
    enableWafv2    = false
    serviceAccount = { create = true, name = local.service_accounts["load-balancer"].name }
  }
}

output "manifests" {
  description = "What the cluster needs to be used: storage class and class of ingress by ALB."
  value = [
    {
      apiVersion        = "storage.k8s.io/v1"
      kind              = "StorageClass"
      metadata          = { name = "gp3", annotations = { "storageclass.kubernetes.io/is-default-class" = "true" } }
      provisioner       = local.auto ? "ebs.csi.eks.amazonaws.com" : "ebs.csi.aws.com"
      volumeBindingMode = "WaitForFirstConsumer"
      reclaimPolicy     = "Retain"
      parameters        = merge({ type = "gp3", encrypted = "true" }, var.volume_kms_key_arn == null ? {} : { kmsKeyId = var.volume_kms_key_arn })

      allowVolumeExpansion = true
    },
    {
      apiVersion = local.auto ? "eks.amazonaws.com/v1" : "elbv2.k8s.aws/v1beta1"
      kind       = "IngressClassParams"
      metadata   = { name = "alb" }
      spec = merge(
        { scheme = "internet-facing" },
        # The two controllers spell the certificate differently.
        local.certified ? (local.auto ? { certificateARNs = [aws_acm_certificate.main[0].arn] } : { certificateArn = [aws_acm_certificate.main[0].arn] }) : {},
      )
    },
    {
      apiVersion = "networking.k8s.io/v1"
      kind       = "IngressClass"
      metadata   = { name = "alb", annotations = { "ingressclass.kubernetes.io/is-default-class" = "true" } }
      spec = {
        controller = local.auto ? "eks.amazonaws.com/alb" : "ingress.k8s.aws/alb"
        parameters = { apiGroup = local.auto ? "eks.amazonaws.com" : "elbv2.k8s.aws", kind = "IngressClassParams", name = "alb" }
      }
    },
  ]
}
