# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  account   = data.aws_caller_identity.current.account_id
  kms_key   = var.kms_key_arn == null ? aws_kms_key.main[0].arn : var.kms_key_arn
  databases = var.database == null ? {} : { main = var.database }
  postgres  = var.database != null && try(var.database.engine == "postgres", false)
  port      = local.postgres ? 5432 : 3306
  log_kinds = local.postgres ? ["postgresql", "upgrade"] : ["error", "slowquery"]
}

data "aws_caller_identity" "current" {}

resource "aws_kms_key" "main" {
  count = var.kms_key_arn == null ? 1 : 0

  description             = "Databases and buckets of ${var.name}"
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
        Sid       = "LogsOfTheDatabase"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${local.account}:log-group:/aws/rds/instance/${var.name}/*" } }
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

  name          = "alias/${var.name}-data"
  target_key_id = aws_kms_key.main[0].key_id
}

resource "aws_security_group" "database" {
  for_each = local.databases

  name        = "${var.name}-database"
  description = "The database, reached from within the VPC"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-database" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.databases

  security_group_id = aws_security_group.database[each.key].id
  description       = "Nodes and tasks"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = local.port
  to_port           = local.port
}

resource "aws_db_subnet_group" "main" {
  for_each = local.databases

  name        = var.name
  description = "The database of ${var.name}"
  subnet_ids  = var.data_subnet_ids
}

resource "aws_db_parameter_group" "main" {
  for_each = local.databases

  name_prefix = "${var.name}-"
  family      = "${each.value.engine}${each.value.version}"
  description = "The database of ${var.name}"

  dynamic "parameter" {
    for_each = merge(local.postgres ? { "rds.force_ssl" = "1" } : { require_secure_transport = "1", slow_query_log = "1" }, each.value.settings)

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  dynamic "parameter" {
    for_each = each.value.restart_settings

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  lifecycle {
    # An upgrade to another major takes another family.
    create_before_destroy = true
  }
}

# Made before the database, which would make some that keep everything for ever, unencrypted.
resource "aws_cloudwatch_log_group" "database" {
  for_each = var.database == null ? toset([]) : toset(local.log_kinds)

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key
}

resource "aws_iam_role" "monitoring" {
  for_each = local.databases

  name        = "${var.name}-database-monitoring"
  description = "Tells CloudWatch how the database's machine is"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  for_each = local.databases

  role       = aws_iam_role.monitoring[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_db_instance" "main" {
  # checkov:skip=CKV_AWS_133: backup_days is 1 at least, its validation says so; the checker cannot read it
  # checkov:skip=CKV_AWS_157: ha is on unless somebody says otherwise; the checker cannot read it
  for_each = local.databases

  identifier     = var.name
  engine         = each.value.engine
  engine_version = each.value.version
  instance_class = each.value.machine
  db_name        = each.value.name
  port           = local.port
  multi_az       = each.value.ha

  # The password is made, kept and renewed by Secrets Manager: nobody here ever has it.
  username                      = "owner"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = local.kms_key

  iam_database_authentication_enabled = true

  storage_type          = "gp3"
  allocated_storage     = each.value.disk
  max_allocated_storage = each.value.disk * 4
  storage_encrypted     = true
  kms_key_id            = local.kms_key

  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.main[each.key].name
  vpc_security_group_ids = [aws_security_group.database[each.key].id]
  parameter_group_name   = aws_db_parameter_group.main[each.key].name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = each.value.backup_days
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-final"

  auto_minor_version_upgrade      = true
  allow_major_version_upgrade     = each.value.allow_major_upgrade
  apply_immediately               = false
  enabled_cloudwatch_logs_exports = local.log_kinds
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring[each.key].arn
  performance_insights_enabled    = true
  performance_insights_kms_key_id = local.kms_key

  depends_on = [aws_cloudwatch_log_group.database]
}

resource "aws_sns_topic" "alarms" {
  for_each = local.databases

  name              = "${var.name}-data-alarms"
  kms_master_key_id = local.kms_key
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.database == null ? toset([]) : toset(var.alarm_emails)

  topic_arn = aws_sns_topic.alarms["main"].arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = var.database == null ? {} : {
    full  = { metric = "FreeStorageSpace", statistic = "Minimum", compare = "LessThanThreshold", threshold = 2 * 1024 * 1024 * 1024, says = "Less than 2 GiB of the disk are free" }
    busy  = { metric = "CPUUtilization", statistic = "Average", compare = "GreaterThanThreshold", threshold = 90, says = "The processors are busy for a quarter of an hour" }
    short = { metric = "FreeableMemory", statistic = "Minimum", compare = "LessThanThreshold", threshold = 128 * 1024 * 1024, says = "Less than 128 MiB of memory are free" }
  }

  alarm_name          = "${var.name}-database-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = aws_db_instance.main["main"].identifier }
  statistic           = each.value.statistic
  comparison_operator = each.value.compare
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms["main"].arn]
  ok_actions          = [aws_sns_topic.alarms["main"].arn]
}
