# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "entry_point" {
  description = "Where production is reached."
  value       = "https://${var.domain}"
}

output "test_entry_point" {
  description = "Where a new version is tested before anybody else sees it."
  value       = local.by_path ? "https://${var.domain}${var.test_path}" : "https://${var.domain}:${var.test_port}"
}

output "load_balancer" {
  description = "The load balancer's own name in DNS, for zones that are kept elsewhere."
  value       = aws_lb.main.dns_name
}

output "cluster" {
  description = "The cluster's name."
  value       = aws_ecs_cluster.main.name
}

output "services" {
  description = "By name of service, what a release needs: family of task definitions, target groups, rules, alarms, log group and repository."
  value = {
    for name, service in var.services : name => {
      cluster         = var.name
      service         = name
      family          = "${var.name}-${name}"
      container       = name
      repository      = service.image == null ? aws_ecr_repository.main[name].repository_url : null
      log_group       = "/${var.name}/ecs/${name}"
      blue            = service.port == null ? null : aws_lb_target_group.blue[name].arn
      green           = service.port == null ? null : aws_lb_target_group.green[name].arn
      production_rule = service.port == null ? null : aws_lb_listener_rule.production[name].arn
      test_rule       = service.port == null ? null : aws_lb_listener_rule.test[name].arn
      alarms          = service.port == null ? [] : concat(["${var.name}-${name}-errors"], service.slow_seconds == null ? [] : ["${var.name}-${name}-slow"])
      security_group  = aws_security_group.service[name].id
    }
  }
}

output "alarm_topic" {
  description = "The topic of alarms."
  value       = aws_sns_topic.alarms.arn
}
