# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  name   = "bin-paris"
  region = "fr-par"
}

run "private_by_itself" {
  command = plan

  assert {
    condition     = alltrue([for pool in scaleway_k8s_pool.main : pool.public_ip_disabled && pool.autoscaling && pool.autohealing])
    error_message = "Nodes have no public address, and are as many as are needed."
  }
  assert {
    condition     = length(scaleway_k8s_acl.main.acl_rules) == 1
    error_message = "The control plane answers to its own nodes only."
  }
  assert {
    condition     = one(scaleway_vpc_gateway_network.main.ipam_config).push_default_route
    error_message = "Nodes find their way out."
  }
  assert {
    condition     = length(scaleway_iam_application.main) == 0
    error_message = "Without a project nothing is made that would reach all of them."
  }
}

run "names_lead_to_the_load_balancer" {
  command = plan

  variables {
    domain             = "bin.example.org"
    dns_zone           = "example.org"
    load_balancer_type = "LB-GP-M"
  }

  assert {
    condition     = join(" ", sort([for record in scaleway_domain_record.main : record.name])) == "*.bin bin"
    error_message = "The domain, and everything below it."
  }
  assert {
    condition     = output.load_balancer_annotations["service.beta.kubernetes.io/scw-loadbalancer-type"] == "LB-GP-M"
    error_message = "The size that is asked for."
  }
}

run "the_zone_itself_is_the_domain" {
  command = plan

  variables {
    domain   = "bin.example.org"
    dns_zone = "bin.example.org"
  }

  assert {
    condition     = join(" ", sort([for record in scaleway_domain_record.main : record.name])) == " *"
    error_message = "The zone's own name is an empty one."
  }
}

run "a_database_in_the_private_network" {
  command = plan

  variables {
    database          = { engine = "PostgreSQL-17" }
    database_password = "not a real password at all"
  }

  assert {
    condition     = scaleway_rdb_instance.main[0].is_ha_cluster && scaleway_rdb_instance.main[0].backup_schedule_retention == 7
    error_message = "A standby, and a week of backups."
  }
  assert {
    condition     = scaleway_secret.main["database"].protected
    error_message = "Its password is kept where nobody deletes it by a slip."
  }
}

run "a_database_needs_a_password" {
  command = plan

  variables {
    database = { engine = "PostgreSQL-17" }
  }

  expect_failures = [var.database_password]
}
