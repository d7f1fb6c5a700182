# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  name               = "shop"
  region             = "eu-west-3"
  vpc_id             = "vpc-0a1b"
  cidr               = "10.60.0.0/16"
  public_subnet_ids  = ["subnet-0a", "subnet-0b"]
  private_subnet_ids = ["subnet-0c", "subnet-0d"]
  domain             = "shop.example.org"
  dns_zone           = "shop.example.org"
  services           = { web = { port = 8000, health = "/health" } }
}

run "blue_and_green_by_a_port" {
  command = plan

  assert {
    condition     = aws_ecs_service.main["web"].deployment_configuration[0].strategy == "BLUE_GREEN"
    error_message = "A new version takes over all at once."
  }
  assert {
    condition     = aws_lb_listener.test[0].port == 8443 && aws_lb_listener.test[0].protocol == "HTTPS"
    error_message = "The new version is tested at a port of its own."
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.balancer_test : rule.cidr_ipv4] == ["10.60.0.0/16"]
    error_message = "Only the VPC sees the version under test."
  }
  assert {
    condition     = one(aws_ecs_service.main["web"].alarms).rollback && one(aws_ecs_service.main["web"].alarms).alarm_names == toset(["shop-web-errors"])
    error_message = "An alarm rolls back."
  }
  assert {
    condition     = { for group in aws_lb_listener_rule.production["web"].action[0].forward[0].target_group : tostring(group.weight) => true } == { "0" = true, "100" = true }
    error_message = "All of the traffic goes to one of the two."
  }
  assert {
    condition     = output.entry_point == "https://shop.example.org" && output.test_entry_point == "https://shop.example.org:8443"
    error_message = "Where production and the version under test are reached."
  }
}

run "blue_and_green_by_a_path" {
  command = plan

  variables {
    test_path = "/next"
  }

  assert {
    condition     = length(aws_lb_listener.test) == 0 && length(aws_vpc_security_group_ingress_rule.balancer_test) == 0
    error_message = "No other port is open."
  }
  assert {
    condition     = anytrue([for condition in aws_lb_listener_rule.test["web"].condition : try(contains(condition.path_pattern[0].values, "/next/*"), false)])
    error_message = "The version under test is reached under its path."
  }
  assert {
    condition     = one(aws_lb_listener_rule.test["web"].transform).url_rewrite_config[0].rewrite[0] == { regex = "^/next/(.*)$", replace = "/$1" }
    error_message = "The service does not see the path."
  }
  assert {
    condition     = aws_lb_listener_rule.test["web"].priority < aws_lb_listener_rule.production["web"].priority
    error_message = "Production's rule would take the requests of the version under test."
  }
}

run "what_takes_every_path_comes_last" {
  command = plan

  variables {
    services = { web = { port = 8000 }, api = { port = 9000, paths = ["/api/*"] } }
  }

  assert {
    condition     = aws_lb_listener_rule.production["api"].priority < aws_lb_listener_rule.production["web"].priority
    error_message = "The API would never get a request."
  }
}

run "a_worker_has_no_load_balancer" {
  command = plan

  variables {
    services = { worker = {} }
  }

  assert {
    condition     = length(aws_lb_target_group.blue) == 0 && length(aws_ecs_service.main["worker"].load_balancer) == 0 && aws_ecs_service.main["worker"].deployment_configuration[0].strategy == "ROLLING"
    error_message = "Nobody asks a worker."
  }
}

run "no_tls_no_service" {
  command = plan

  variables {
    dns_zone = null
  }

  expect_failures = [var.certificate_arn]
}
