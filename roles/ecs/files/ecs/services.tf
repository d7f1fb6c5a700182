# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # A place in the order of rules that no other service's coming or going moves.
  places = { for name, service in var.services : name => coalesce(service.priority, parseint(substr(md5(name), 0, 6), 16) % 10000) }

  kept = merge([for name, service in var.services : {
    for variable, version in service.kept : "${name}/${variable}" => { service = name, variable = variable, version = version }
  }]...)
  served = { for name, service in var.services : name => service if service.port != null }
  own    = { for name, service in var.services : name => service if service.image == null }
  images = { for name, service in var.services : name => service.image == null ? "${aws_ecr_repository.main[name].repository_url}:${service.first_tag}" : service.image }
}

resource "aws_ecs_cluster" "main" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enhanced"
  }

  configuration {
    execute_command_configuration {
      kms_key_id = local.kms_key
      logging    = "OVERRIDE"

      log_configuration {
        cloud_watch_encryption_enabled = true
        cloud_watch_log_group_name     = aws_cloudwatch_log_group.shell.name
      }
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }
}

resource "aws_ecs_task_definition" "main" {
  for_each = var.services

  family                   = "${var.name}-${each.key}"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  task_role_arn            = aws_iam_role.task[each.key].arn
  # A roll-back needs the revisions before.
  skip_destroy = true

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  dynamic "volume" {
    for_each = each.value.writable ? [] : ["tmp"]

    content {
      name = volume.value
    }
  }

  container_definitions = jsonencode([merge(
    {
      name                   = each.key
      image                  = local.images[each.key]
      essential              = true
      readonlyRootFilesystem = !each.value.writable
      privileged             = false
      stopTimeout            = 60
      linuxParameters        = { initProcessEnabled = true, capabilities = { drop = each.value.writable ? [] : ["ALL"] } }
      environment = concat(
        [for name, value in each.value.environment : { name = name, value = value }],
        each.value.database ? [for name in ["host", "port", "name"] : { name = "DATABASE_${upper(name)}", value = tostring(var.database[name]) }] : [],
      )
      secrets = concat(
        [for name, arn in each.value.secrets : { name = name, valueFrom = arn }],
        [for variable in keys(each.value.kept) : { name = variable, valueFrom = aws_secretsmanager_secret.main["${each.key}/${variable}"].arn }],
        each.value.database ? [for name in ["username", "password"] : { name = "DATABASE_${upper(name)}", valueFrom = "${var.database.secret_arn}:${name}::" }] : [],
      )
      mountPoints  = each.value.writable ? [] : [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
      portMappings = each.value.port == null ? [] : [{ name = "main", containerPort = each.value.port, protocol = "tcp" }]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.service[each.key].name
          awslogs-region        = var.region
          awslogs-stream-prefix = "task"
          mode                  = "non-blocking"
        }
      }
    },
    each.value.command == null ? {} : { command = each.value.command },
  )])
}

resource "aws_ecs_service" "main" {
  for_each = var.services

  name                              = each.key
  cluster                           = aws_ecs_cluster.main.arn
  task_definition                   = aws_ecs_task_definition.main[each.key].arn
  desired_count                     = each.value.min
  platform_version                  = "LATEST"
  availability_zone_rebalancing     = "ENABLED"
  enable_ecs_managed_tags           = true
  enable_execute_command            = var.shell
  propagate_tags                    = "SERVICE"
  health_check_grace_period_seconds = each.value.port == null ? null : 60
  # Several services at once; a release waits for its own (module ecs_deployment), Terraform does not.
  wait_for_steady_state = false

  deployment_controller {
    type = "ECS"
  }

  deployment_configuration {
    strategy             = each.value.port == null ? "ROLLING" : var.strategy
    bake_time_in_minutes = each.value.port == null || var.strategy == "ROLLING" ? null : tostring(var.bake_minutes)

    dynamic "canary_configuration" {
      for_each = each.value.port != null && var.strategy == "CANARY" ? [1] : []

      content {
        canary_percent              = var.step_percent
        canary_bake_time_in_minutes = tostring(var.bake_minutes)
      }
    }

    dynamic "linear_configuration" {
      for_each = each.value.port != null && var.strategy == "LINEAR" ? [1] : []

      content {
        step_percent              = var.step_percent
        step_bake_time_in_minutes = tostring(var.bake_minutes)
      }
    }
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "alarms" {
    for_each = each.value.port == null ? [] : [1]

    content {
      enable      = true
      rollback    = true
      alarm_names = concat([aws_cloudwatch_metric_alarm.errors[each.key].alarm_name], [for alarm in aws_cloudwatch_metric_alarm.slow : alarm.alarm_name if alarm.alarm_name == "${var.name}-${each.key}-slow"])
    }
  }

  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }

  dynamic "capacity_provider_strategy" {
    for_each = var.spot ? [4] : []

    content {
      capacity_provider = "FARGATE_SPOT"
      weight            = capacity_provider_strategy.value
    }
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.service[each.key].id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = each.value.port == null ? [] : [1]

    content {
      container_name   = each.key
      container_port   = each.value.port
      target_group_arn = aws_lb_target_group.blue[each.key].arn

      dynamic "advanced_configuration" {
        for_each = var.strategy == "ROLLING" ? [] : [1]

        content {
          alternate_target_group_arn = aws_lb_target_group.green[each.key].arn
          production_listener_rule   = aws_lb_listener_rule.production[each.key].arn
          test_listener_rule         = aws_lb_listener_rule.test[each.key].arn
          role_arn                   = aws_iam_role.infrastructure.arn
        }
      }
    }
  }

  lifecycle {
    # Which revision runs is a release's decision, how many of it the autoscaler's.
    ignore_changes = [task_definition, desired_count]
  }

  depends_on = [aws_ecs_cluster_capacity_providers.main, aws_iam_role_policy_attachment.infrastructure, aws_iam_role_policy.execution, aws_secretsmanager_secret_version.main]
}

resource "aws_appautoscaling_target" "main" {
  for_each = var.services

  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.main[each.key].name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = each.value.min
  max_capacity       = each.value.max
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each = var.services

  name               = "${var.name}-${each.key}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.main[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.main[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.main[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.cpu_target
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "memory" {
  for_each = var.services

  name               = "${var.name}-${each.key}-memory"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.main[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.main[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.main[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = 75
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageMemoryUtilization"
    }
  }
}

resource "aws_security_group" "service" {
  for_each = var.services

  name        = "${var.name}-${each.key}"
  description = "Tasks of ${each.key}"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-${each.key}" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "service" {
  for_each = local.served

  security_group_id            = aws_security_group.service[each.key].id
  description                  = "From the load balancer only"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "service_inside" {
  for_each = var.services

  security_group_id = aws_security_group.service[each.key].id
  description       = "Databases and endpoints of the VPC"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 0
  to_port           = 65535
}

resource "aws_vpc_security_group_egress_rule" "service_https" {
  for_each = var.services

  security_group_id = aws_security_group.service[each.key].id
  description       = "Registry and web services, by the NAT gateway"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
