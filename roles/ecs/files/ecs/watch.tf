# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  kms_key = var.kms_key_arn == null ? aws_kms_key.main[0].arn : var.kms_key_arn
  account = data.aws_caller_identity.current.account_id
}

data "aws_caller_identity" "current" {}

resource "aws_kms_key" "main" {
  count = var.kms_key_arn == null ? 1 : 0

  description             = "Logs, images and alarms of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnedByTheAccount"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsOfThePlatform"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${local.account}:log-group:/${var.name}/ecs/*" } }
      },
      {
        Sid       = "AlarmsToTheTopic"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
}

resource "aws_kms_alias" "main" {
  count = var.kms_key_arn == null ? 1 : 0

  name          = "alias/${var.name}-ecs"
  target_key_id = aws_kms_key.main[0].key_id
}

resource "aws_ecr_repository" "main" {
  for_each = local.own

  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = false

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = local.kms_key
  }

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "main" {
  for_each = local.own

  repository = aws_ecr_repository.main[each.key].name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What no tag names"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "All but the newest"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.keep_images }
        action       = { type = "expire" }
      },
    ]
  })
}

resource "aws_secretsmanager_secret" "main" {
  # checkov:skip=CKV2_AWS_57: the value is whoever's manifest names it; a Lambda here could not change it at the other end
  for_each = local.kept

  name                    = "${var.name}/${each.key}"
  description             = "Of service ${each.value.service}"
  kms_key_id              = local.kms_key
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "main" {
  for_each = local.kept

  secret_id                = aws_secretsmanager_secret.main[each.key].id
  secret_string_wo         = var.secret_values[each.key]
  secret_string_wo_version = each.value.version
}

resource "aws_cloudwatch_log_group" "service" {
  for_each = var.services

  name              = "/${var.name}/ecs/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key
}

resource "aws_cloudwatch_log_group" "shell" {
  name              = "/${var.name}/ecs/shell"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key
}

resource "aws_s3_bucket" "logs" {
  # checkov:skip=CKV_AWS_18: it is where access logs go; its own would go round in a circle
  # checkov:skip=CKV_AWS_144: requests' logs of one region; whoever needs them elsewhere exports them
  # checkov:skip=CKV_AWS_145: load balancers write to buckets with the service's own key only
  # checkov:skip=CKV2_AWS_62: nothing waits for a new log file
  bucket        = "${var.name}-${local.account}-balancer-logs"
  force_destroy = false
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_retention_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "WrittenByLoadBalancers"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.logs.arn}/*/AWSLogs/${local.account}/*"
      },
      {
        Sid       = "OnlyByTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.logs.arn, "${aws_s3_bucket.logs.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.logs]
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-ecs-alarms"
  kms_master_key_id = local.kms_key
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = toset(var.alarm_emails)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

# Over both target groups: during a release either may be the new version's.
resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.served

  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = "More than ${each.value.error_rate} % of the answers of ${each.key} are errors: a release is rolled back"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.error_rate
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "rate"
    label       = "Errors in percent"
    expression  = "100 * (FILL(blue_errors, 0) + FILL(green_errors, 0)) / (FILL(blue_requests, 0) + FILL(green_requests, 0))"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      blue_errors    = { metric = "HTTPCode_Target_5XX_Count", group = aws_lb_target_group.blue[each.key].arn_suffix }
      green_errors   = { metric = "HTTPCode_Target_5XX_Count", group = aws_lb_target_group.green[each.key].arn_suffix }
      blue_requests  = { metric = "RequestCount", group = aws_lb_target_group.blue[each.key].arn_suffix }
      green_requests = { metric = "RequestCount", group = aws_lb_target_group.green[each.key].arn_suffix }
    }

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value.metric
        period      = 60
        stat        = "Sum"
        dimensions  = { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = metric_query.value.group }
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "slow" {
  for_each = { for name, service in local.served : name => service if service.slow_seconds != null }

  alarm_name          = "${var.name}-${each.key}-slow"
  alarm_description   = "One in twenty answers of ${each.key} takes longer than ${each.value.slow_seconds} s: a release is rolled back"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.slow_seconds
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "slowest"
    label       = "95th percentile"
    expression  = "MAX([FILL(blue, 0), FILL(green, 0)])"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { blue = aws_lb_target_group.blue[each.key].arn_suffix, green = aws_lb_target_group.green[each.key].arn_suffix }

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "TargetResponseTime"
        period      = 60
        stat        = "p95"
        dimensions  = { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = metric_query.value }
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "down" {
  for_each = local.served

  alarm_name          = "${var.name}-${each.key}-down"
  alarm_description   = "No task of ${each.key} answers"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "healthy"
    label       = "Healthy tasks"
    expression  = "FILL(blue, 0) + FILL(green, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { blue = aws_lb_target_group.blue[each.key].arn_suffix, green = aws_lb_target_group.green[each.key].arn_suffix }

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = "HealthyHostCount"
        period      = 60
        stat        = "Maximum"
        dimensions  = { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = metric_query.value }
      }
    }
  }
}
