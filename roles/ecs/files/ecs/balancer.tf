# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  certificate = var.certificate_arn == null ? aws_acm_certificate_validation.main[0].certificate_arn : var.certificate_arn
  tls         = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
  hosts       = toset(concat([var.domain], flatten([for service in values(local.served) : service.hosts])))

  # What is under test is reached at a port of its own, or at a path of production's port.
  by_path = var.test_path != null
  # AWS takes 32 characters.
  group_names   = { for name in keys(var.services) : name => length("${var.name}-${name}") <= 26 ? "${var.name}-${name}" : "${substr("${var.name}-${name}", 0, 21)}-${substr(md5("${var.name}-${name}"), 0, 4)}" }
  test_networks = length(var.test_networks) > 0 ? var.test_networks : [var.cidr]
}

data "aws_route53_zone" "main" {
  count = var.dns_zone == null ? 0 : 1

  name = var.dns_zone
}

resource "aws_acm_certificate" "main" {
  count = var.certificate_arn == null ? 1 : 0

  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

# A name and its wildcard are proven by one and the same record.
resource "aws_route53_record" "validation" {
  count = var.certificate_arn == null ? 1 : 0

  zone_id         = data.aws_route53_zone.main[0].zone_id
  name            = tolist(aws_acm_certificate.main[0].domain_validation_options)[0].resource_record_name
  type            = tolist(aws_acm_certificate.main[0].domain_validation_options)[0].resource_record_type
  records         = [tolist(aws_acm_certificate.main[0].domain_validation_options)[0].resource_record_value]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "main" {
  count = var.certificate_arn == null ? 1 : 0

  certificate_arn         = aws_acm_certificate.main[0].arn
  validation_record_fqdns = [aws_route53_record.validation[0].fqdn]
}

resource "aws_route53_record" "main" {
  for_each = var.dns_zone == null ? toset([]) : toset([for host in local.hosts : host if host == var.dns_zone || endswith(host, ".${coalesce(var.dns_zone, "-")}")])

  zone_id = data.aws_route53_zone.main[0].zone_id
  name    = each.key
  type    = "A"

  alias {
    name                   = aws_lb.main.dns_name
    zone_id                = aws_lb.main.zone_id
    evaluate_target_health = true
  }
}

resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "The load balancer"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-balancer" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "balancer_https" {
  for_each = toset(var.networks)

  security_group_id = aws_security_group.balancer.id
  description       = "Users"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "balancer_http" {
  # checkov:skip=CKV_AWS_260: port 80 of the load balancer does nothing but redirect to HTTPS
  for_each = toset(var.networks)

  security_group_id = aws_security_group.balancer.id
  description       = "Users, redirected to HTTPS"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_ingress_rule" "balancer_test" {
  for_each = local.by_path ? toset([]) : toset(local.test_networks)

  security_group_id = aws_security_group.balancer.id
  description       = "Whoever tests a new version"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = var.test_port
  to_port           = var.test_port
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  for_each = local.served

  security_group_id            = aws_security_group.balancer.id
  description                  = "Tasks of ${each.key}"
  referenced_security_group_id = aws_security_group.service[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_lb" "main" {
  # checkov:skip=CKV2_AWS_28: a web ACL costs by the rule and knows the application: web_acl_arn takes yours
  # checkov:skip=CKV2_AWS_76: a rule against Log4j belongs to that web ACL
  name                       = var.name
  internal                   = var.internal
  load_balancer_type         = "application"
  security_groups            = [aws_security_group.balancer.id]
  subnets                    = var.internal ? var.private_subnet_ids : var.public_subnet_ids
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  enable_deletion_protection = var.deletion_protection
  enable_http2               = true

  access_logs {
    bucket  = aws_s3_bucket.logs.id
    prefix  = "requests"
    enabled = true
  }

  connection_logs {
    bucket  = aws_s3_bucket.logs.id
    prefix  = "connections"
    enabled = true
  }

  # The load balancer tries to write to it while it is made.
  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_wafv2_web_acl_association" "main" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.main.arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "production" {
  load_balancer_arn = aws_lb.main.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = local.tls
  certificate_arn   = local.certificate

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "There is nothing here."
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener" "test" {
  count = local.by_path ? 0 : 1

  load_balancer_arn = aws_lb.main.arn
  port              = var.test_port
  protocol          = "HTTPS"
  ssl_policy        = local.tls
  certificate_arn   = local.certificate

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "There is nothing here."
      status_code  = "404"
    }
  }
}

resource "aws_lb_target_group" "blue" {
  # checkov:skip=CKV_AWS_378: the way from the load balancer to a task stays within the VPC, by security group
  for_each = local.served

  name                 = "${local.group_names[each.key]}-blue"
  vpc_id               = var.vpc_id
  port                 = each.value.port
  protocol             = "HTTP"
  protocol_version     = each.value.protocol == "grpc" ? "GRPC" : "HTTP1"
  target_type          = "ip"
  deregistration_delay = "30"

  health_check {
    path                = each.value.health
    matcher             = each.value.protocol == "grpc" ? "0-99" : "200-399"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_target_group" "green" {
  # checkov:skip=CKV_AWS_378: as of blue
  for_each = local.served

  name                 = "${local.group_names[each.key]}-green"
  vpc_id               = var.vpc_id
  port                 = each.value.port
  protocol             = "HTTP"
  protocol_version     = each.value.protocol == "grpc" ? "GRPC" : "HTTP1"
  target_type          = "ip"
  deregistration_delay = "30"

  health_check {
    path                = each.value.health
    matcher             = each.value.protocol == "grpc" ? "0-99" : "200-399"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener_rule" "production" {
  for_each = local.served

  listener_arn = aws_lb_listener.production.arn
  # What takes every path comes last.
  priority = (contains(each.value.paths, "/*") ? 20001 : 10001) + local.places[each.key]

  action {
    type = "forward"

    forward {
      target_group {
        arn    = aws_lb_target_group.blue[each.key].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.green[each.key].arn
        weight = 0
      }
    }
  }

  condition {
    path_pattern {
      values = each.value.paths
    }
  }

  dynamic "condition" {
    for_each = length(each.value.hosts) > 0 ? [each.value.hosts] : []

    content {
      host_header {
        values = condition.value
      }
    }
  }

  tags = { Name = "${var.name}-${each.key}-production" }

  lifecycle {
    # Weights are the release's: ECS moves them.
    ignore_changes = [action]
  }
}

resource "aws_lb_listener_rule" "test" {
  for_each = local.served

  listener_arn = local.by_path ? aws_lb_listener.production.arn : aws_lb_listener.test[0].arn
  priority     = (local.by_path ? 1 : contains(each.value.paths, "/*") ? 20001 : 10001) + local.places[each.key]

  action {
    type = "forward"

    forward {
      target_group {
        arn    = aws_lb_target_group.blue[each.key].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.green[each.key].arn
        weight = 0
      }
    }
  }

  condition {
    path_pattern {
      values = local.by_path ? [for path in each.value.paths : "${var.test_path}${path}"] : each.value.paths
    }
  }

  dynamic "condition" {
    for_each = length(each.value.hosts) > 0 ? [each.value.hosts] : []

    content {
      host_header {
        values = condition.value
      }
    }
  }

  dynamic "condition" {
    for_each = local.by_path && length(var.test_networks) > 0 ? [var.test_networks] : []

    content {
      source_ip {
        values = condition.value
      }
    }
  }

  dynamic "transform" {
    for_each = local.by_path ? [var.test_path] : []

    content {
      type = "url-rewrite"

      url_rewrite_config {
        rewrite {
          regex   = "^${transform.value}/(.*)$"
          replace = "/$1"
        }
      }
    }
  }

  tags = { Name = "${var.name}-${each.key}-test" }

  lifecycle {
    ignore_changes = [action]
  }
}
