# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.main.id
}

output "cidr" {
  description = "Its addresses."
  value       = var.cidr
}

output "zone_names" {
  description = "The zones that it is in."
  value       = local.zone_names
}

output "public_subnet_ids" {
  description = "Subnets for load balancers, one in each zone."
  value       = [for zone in local.zone_names : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Subnets for nodes and tasks, one in each zone: no way in from outside."
  value       = [for zone in local.zone_names : aws_subnet.private[zone].id]
}

output "data_subnet_ids" {
  description = "Subnets for databases, one in each zone: no way in or out."
  value       = [for zone in local.zone_names : aws_subnet.data[zone].id]
}

output "nat_addresses" {
  description = "The public addresses that the platform's own requests come from."
  value       = [for zone in local.nat_zones : aws_eip.nat[zone].public_ip]
}
