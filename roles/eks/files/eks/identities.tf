# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

# Identities of what runs in the cluster: roles for service accounts, without keys (EKS Pod Identity).
locals {
  zone_id = var.dns_zone == null ? null : var.create_dns_zone ? aws_route53_zone.main[0].zone_id : data.aws_route53_zone.main[0].zone_id

  service_accounts = merge(
    local.auto ? {} : {
      load-balancer = { namespace = "kube-system", name = "aws-load-balancer-controller" }
      autoscaler    = { namespace = "kube-system", name = "cluster-autoscaler" }
    },
    var.dns_zone == null ? {} : {
      dns          = { namespace = "external-dns", name = "external-dns" }
      certificates = { namespace = "cert-manager", name = "cert-manager" }
    },
  )
  # The add-ons' own, which they are joined with themselves.
  managed = local.auto ? {} : {
    network = { namespace = "kube-system", name = "aws-node", policy = "AmazonEKS_CNI_Policy" }
    disks   = { namespace = "kube-system", name = "ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
  }
  of_the_cluster = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = var.name }
  elb            = "arn:aws:elasticloadbalancing:${var.region}:${local.account}"
  ec2            = "arn:aws:ec2:${var.region}:${local.account}"
  zone_arn       = "arn:aws:route53:::hostedzone/${coalesce(local.zone_id, "none")}"

  statements = {
    load-balancer = [
      {
        Sid    = "SeeWhatIsThere"
        Effect = "Allow"
        Action = [
          "acm:DescribeCertificate", "acm:ListCertificates", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
          "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVpcs",
          "ec2:GetSecurityGroupsForVpc", "elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeListenerAttributes",
          "elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancerAttributes",
          "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeSSLPolicies",
          "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
        ]
        Resource = "*"
      },
      {
        Sid       = "MakeWhatBearsTheClustersName"
        Effect    = "Allow"
        Action    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
        Resource  = ["${local.elb}:loadbalancer/*", "${local.elb}:targetgroup/*"]
        Condition = { StringEquals = { "aws:RequestTag/elbv2.k8s.aws/cluster" = var.name } }
      },
      {
        Sid       = "TagItWhileItIsMade"
        Effect    = "Allow"
        Action    = ["elasticloadbalancing:AddTags"]
        Resource  = ["${local.elb}:loadbalancer/*", "${local.elb}:targetgroup/*"]
        Condition = { StringEquals = { "elasticloadbalancing:CreateAction" = ["CreateLoadBalancer", "CreateTargetGroup"] } }
      },
      {
        Sid    = "ChangeWhatBearsTheClustersName"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateRule",
          "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteRule",
          "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:ModifyListener",
          "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyRule",
          "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RegisterTargets",
          "elasticloadbalancing:RemoveListenerCertificates", "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetIpAddressType",
          "elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
        ]
        Resource  = "${local.elb}:*"
        Condition = { StringEquals = local.of_the_cluster }
      },
      {
        Sid      = "MakeSecurityGroupsInTheVpc"
        Effect   = "Allow"
        Action   = ["ec2:CreateSecurityGroup"]
        Resource = ["${local.ec2}:security-group/*", "${local.ec2}:vpc/${var.vpc_id}"]
      },
      {
        Sid       = "TagThemWhileTheyAreMade"
        Effect    = "Allow"
        Action    = ["ec2:CreateTags"]
        Resource  = "${local.ec2}:security-group/*"
        Condition = { StringEquals = { "ec2:CreateAction" = "CreateSecurityGroup", "aws:RequestTag/elbv2.k8s.aws/cluster" = var.name } }
      },
      {
        Sid       = "OpenPortsInTheVpc"
        Effect    = "Allow"
        Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
        Resource  = "${local.ec2}:security-group/*"
        Condition = { ArnEquals = { "ec2:Vpc" = "${local.ec2}:vpc/${var.vpc_id}" } }
      },
      {
        Sid       = "DeleteItsSecurityGroups"
        Effect    = "Allow"
        Action    = ["ec2:DeleteSecurityGroup"]
        Resource  = "${local.ec2}:security-group/*"
        Condition = { StringEquals = local.of_the_cluster }
      },
      {
        Sid       = "TheFirstLoadBalancerOfTheAccount"
        Effect    = "Allow"
        Action    = ["iam:CreateServiceLinkedRole"]
        Resource  = "arn:aws:iam::${local.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"
        Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
      },
    ]
    autoscaler = [
      {
        Sid    = "SeeWhatIsThere"
        Effect = "Allow"
        Action = [
          "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
          "autoscaling:DescribeScalingActivities", "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
          "ec2:GetInstanceTypesFromInstanceRequirements", "eks:DescribeNodegroup",
        ]
        Resource = "*"
      },
      {
        Sid       = "ScaleThePoolsOfThisCluster"
        Effect    = "Allow"
        Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
        Resource  = "arn:aws:autoscaling:${var.region}:${local.account}:autoScalingGroup:*"
        Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}" = "owned" } }
      },
    ]
    dns = [
      {
        Sid      = "SeeTheZones"
        Effect   = "Allow"
        Action   = ["route53:ListHostedZones", "route53:ListHostedZonesByName"]
        Resource = "*"
      },
      {
        Sid      = "KeepNamesInTheZone"
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets", "route53:ListTagsForResource"]
        Resource = local.zone_arn
      },
    ]
    certificates = [
      {
        Sid      = "FindTheZone"
        Effect   = "Allow"
        Action   = ["route53:ListHostedZonesByName"]
        Resource = "*"
      },
      {
        Sid      = "SeeAChangeThrough"
        Effect   = "Allow"
        Action   = ["route53:GetChange"]
        Resource = "arn:aws:route53:::change/*"
      },
      {
        Sid       = "AnswerChallenges"
        Effect    = "Allow"
        Action    = ["route53:ChangeResourceRecordSets"]
        Resource  = local.zone_arn
        Condition = { "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["TXT"] } }
      },
      {
        Sid      = "SeeRecords"
        Effect   = "Allow"
        Action   = ["route53:ListResourceRecordSets"]
        Resource = local.zone_arn
      },
    ]
  }
}

resource "aws_iam_role" "identity" {
  for_each = merge(local.service_accounts, { for name, account in local.managed : name => { namespace = account.namespace, name = account.name } })

  name        = "${var.name}-eks-${each.key}"
  description = "Pods of ${var.name}: ${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      # The tags of a session, which EKS sets itself: this service account of this cluster and no other.
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-arn"            = aws_eks_cluster.main.arn
          "aws:RequestTag/kubernetes-namespace"       = each.value.namespace
          "aws:RequestTag/kubernetes-service-account" = each.value.name
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "identity" {
  for_each = local.service_accounts

  name   = each.key
  role   = aws_iam_role.identity[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}

resource "aws_iam_role_policy_attachment" "identity" {
  for_each = local.managed

  role       = aws_iam_role.identity[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/${each.value.policy}"
}

resource "aws_eks_pod_identity_association" "main" {
  for_each = local.service_accounts

  cluster_name    = aws_eks_cluster.main.name
  namespace       = each.value.namespace
  service_account = each.value.name
  role_arn        = aws_iam_role.identity[each.key].arn
}
