# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # Zones are named, not looked up: the plan needs no account, and a new zone of AWS moves nothing.
  irregular = {
    ap-northeast-1 = ["a", "c", "d"]
    ap-northeast-2 = ["a", "b", "c", "d"]
    ca-central-1   = ["a", "b", "d"]
    us-east-1      = ["a", "b", "c", "d", "e", "f"]
    us-west-1      = ["a", "c"]
    us-west-2      = ["a", "b", "c", "d"]
  }
  letters     = lookup(local.irregular, var.region, ["a", "b", "c"])
  known_zones = length(var.zone_names) > 0 ? var.zone_names : [for letter in local.letters : "${var.region}${letter}"]
  zone_names  = slice(local.known_zones, 0, var.zones)
  zones       = { for index, zone in local.zone_names : zone => index }

  # Room for as many zones as the network's size allows, so that adding one moves none of the others:
  # half of the network is private, a quarter public, a quarter for data. A public subnet has a /27 at least, as a load balancer wants.
  prefix    = tonumber(split("/", var.cidr)[1])
  zone_bits = local.prefix <= 22 ? 3 : local.prefix == 23 ? 2 : 1
  half      = cidrsubnet(var.cidr, 1, 0)
  of_public = cidrsubnet(var.cidr, 2, 2)
  of_data   = cidrsubnet(var.cidr, 2, 3)
  nat_zones = var.nat == "none" ? [] : var.nat == "one" ? slice(local.zone_names, 0, 1) : local.zone_names
  without_nat = [
    "autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "kms", "logs", "monitoring", "secretsmanager",
    "ssm", "sts",
  ]
  endpoints = setunion(var.endpoints, var.nat == "none" ? local.without_nat : [])
}

resource "aws_vpc" "main" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = var.name }
}

# Whoever names no security group gets this one: it lets nothing through.
resource "aws_default_security_group" "main" {
  vpc_id  = aws_vpc.main.id
  ingress = []
  egress  = []
  tags    = { Name = "${var.name}-unused" }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.of_public, local.zone_bits, each.value)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-public-${each.key}", "kubernetes.io/role/elb" = "1" }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.half, local.zone_bits, each.value)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-private-${each.key}", "kubernetes.io/role/internal-elb" = "1" }
}

resource "aws_subnet" "data" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.of_data, local.zone_bits, each.value)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-data-${each.key}" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = var.name }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "out" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

# A table for each zone, whatever the number of gateways: their number can be changed without a moment without a route.
resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[each.key].id
}

# Data has no way out at all.
resource "aws_route_table" "data" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${var.name}-data" }
}

resource "aws_route_table_association" "data" {
  for_each = aws_subnet.data

  subnet_id      = each.value.id
  route_table_id = aws_route_table.data.id
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"
  tags   = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "main" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = { Name = "${var.name}-${each.key}" }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route" "nat" {
  for_each = var.nat == "none" ? {} : local.zones

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[var.nat == "one" ? local.zone_names[0] : each.key].id
}
