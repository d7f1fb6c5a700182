# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  name               = "shop"
  region             = "eu-west-3"
  vpc_id             = "vpc-0a1b"
  private_subnet_ids = ["subnet-0c", "subnet-0d"]
}

run "auto_mode_is_private" {
  command = plan

  assert {
    condition     = aws_eks_cluster.main.compute_config[0].enabled && aws_eks_cluster.main.storage_config[0].block_storage[0].enabled && aws_eks_cluster.main.kubernetes_network_config[0].elastic_load_balancing[0].enabled
    error_message = "Auto Mode is all three."
  }
  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_public_access == false && aws_eks_cluster.main.vpc_config[0].endpoint_private_access
    error_message = "Nobody from outside unless named."
  }
  assert {
    condition     = aws_eks_cluster.main.access_config[0].authentication_mode == "API"
    error_message = "Access by entries, not by a ConfigMap."
  }
  assert {
    condition     = length(aws_launch_template.pool) == 0 && length(aws_eks_addon.early) == 0
    error_message = "Auto Mode brings its nodes and add-ons."
  }
  assert {
    condition     = output.manifests[2].spec.controller == "eks.amazonaws.com/alb"
    error_message = "Auto Mode's own controller makes the ALB."
  }
}

run "pools_with_launch_templates" {
  command = plan

  variables {
    mode                = "pools"
    pools               = { main = { machine = "m7g.large", min = 3, max = 9 }, gpu = { machine = "g5.xlarge" } }
    authorized_networks = { office = "198.51.100.0/24" }
    dns_zone            = "example.org"
    domain              = "shop.example.org"
  }

  assert {
    condition     = aws_eks_node_group.pool["main"].ami_type == "AL2023_ARM_64_STANDARD" && aws_eks_node_group.pool["gpu"].ami_type == "AL2023_x86_64_STANDARD"
    error_message = "m7g is Graviton, g5 is not."
  }
  assert {
    condition     = aws_launch_template.pool["main"].metadata_options[0].http_tokens == "required" && aws_launch_template.pool["main"].metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Pods do not get at the node's role."
  }
  assert {
    condition     = join(" ", keys(output.service_accounts)) == "autoscaler certificates dns load-balancer"
    error_message = "Who has a role in AWS."
  }
  assert {
    condition     = output.manifests[2].spec.controller == "ingress.k8s.aws/alb" && output.load_balancer_controller.vpcId == "vpc-0a1b"
    error_message = "The AWS Load Balancer Controller makes the ALB."
  }
}

run "the_whole_world_is_refused" {
  command = plan

  variables {
    authorized_networks = { all = "0.0.0.0/0" }
  }

  expect_failures = [var.authorized_networks]
}
