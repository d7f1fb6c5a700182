# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  name   = "shop"
  region = "eu-west-3"
  cidr   = "10.60.0.0/16"
}

run "subnets_of_three_zones" {
  command = plan

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.60.0.0/20", "10.60.16.0/20", "10.60.32.0/20"]
    error_message = "Half of the network is private, with room for eight zones."
  }
  assert {
    condition     = [for subnet in aws_subnet.public : subnet.cidr_block] == ["10.60.128.0/21", "10.60.136.0/21", "10.60.144.0/21"]
    error_message = "A quarter is public."
  }
  assert {
    condition     = [for subnet in aws_subnet.data : subnet.cidr_block] == ["10.60.192.0/21", "10.60.200.0/21", "10.60.208.0/21"]
    error_message = "A quarter is for data."
  }
  assert {
    condition     = length(aws_nat_gateway.main) == 1 && length(aws_route.nat) == 3
    error_message = "One gateway carries all zones."
  }
  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "Endpoints that cost are made on request only."
  }
}

run "the_smallest_network" {
  command = plan

  variables {
    cidr  = "10.60.0.0/24"
    zones = 2
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : endswith(subnet.cidr_block, "/27")])
    error_message = "A load balancer wants a /27."
  }
}

run "without_nat_everything_goes_by_endpoints" {
  command = plan

  variables {
    nat = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_eip.nat) == 0 && length(aws_route.nat) == 0
    error_message = "No way out."
  }
  assert {
    condition     = length(setsubtract(["ecr.api", "ecr.dkr", "logs", "sts", "secretsmanager"], keys(aws_vpc_endpoint.interface))) == 0
    error_message = "Images, logs and secrets have to be reached."
  }
}

run "a_gateway_in_each_zone" {
  command = plan

  variables {
    nat = "per_zone"
  }

  assert {
    condition     = keys(aws_nat_gateway.main) == ["eu-west-3a", "eu-west-3b", "eu-west-3c"]
    error_message = "The loss of a zone takes no other's way out along."
  }
}

run "zones_of_a_region_that_has_no_b" {
  command = plan

  variables {
    region = "ap-northeast-1"
  }

  assert {
    condition     = join(" ", output.zone_names) == "ap-northeast-1a ap-northeast-1c ap-northeast-1d"
    error_message = "Zones are those that the region has."
  }
}

run "too_many_zones_are_refused" {
  command = plan

  variables {
    zones = 5
  }

  expect_failures = [var.zones]
}
