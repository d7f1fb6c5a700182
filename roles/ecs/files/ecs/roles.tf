# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })

  reads_secrets = { for name, service in var.services : name => service.database || length(service.kept) > 0 || anytrue([for arn in values(service.secrets) : strcontains(arn, ":secretsmanager:")]) }
  # The ARN of a secret without the key within it: arn:aws:secretsmanager:region:account:secret:name[:key::]
  secrets = { for name, service in var.services : name => concat(
    [for variable in keys(service.kept) : aws_secretsmanager_secret.main["${name}/${variable}"].arn],
    service.database ? [var.database.secret_arn] : [],
    distinct([for arn in values(service.secrets) : join(":", slice(split(":", arn), 0, 7)) if strcontains(arn, ":secretsmanager:")]),
  ) }
  params = { for name, service in var.services : name => distinct([for arn in values(service.secrets) : arn if strcontains(arn, ":ssm:")]) }
}

# What starts a task: fetches its own image and secrets, writes its own log.
resource "aws_iam_role" "execution" {
  for_each = var.services

  name               = "${var.name}-${each.key}-start"
  description        = "Starts tasks of ${each.key}"
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy" "execution" {
  for_each = var.services

  name = "start"
  role = aws_iam_role.execution[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "WriteTheLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.service[each.key].arn}:*"
      }],
      each.value.image != null ? [] : [
        {
          Sid      = "LogInToTheRegistry"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = "*"
        },
        {
          Sid      = "FetchTheImage"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = aws_ecr_repository.main[each.key].arn
        },
      ],
      !local.reads_secrets[each.key] ? [] : [{
        Sid      = "ReadItsSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = local.secrets[each.key]
      }],
      length(local.params[each.key]) == 0 ? [] : [{
        Sid      = "ReadItsParameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"]
        Resource = local.params[each.key]
      }],
      !local.reads_secrets[each.key] && length(each.value.secrets) == 0 ? [] : [{
        Sid      = "DecryptThem"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = concat([local.kms_key], each.value.database ? [var.database.kms_key_arn] : [])
      }],
    )
  })
}

# What a task itself may do: nothing, until policies are named.
resource "aws_iam_role" "task" {
  for_each = var.services

  name               = "${var.name}-${each.key}"
  description        = "Tasks of ${each.key}"
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy_attachment" "task" {
  for_each = { for pair in flatten([for name, service in var.services : [for arn in service.policy_arns : { name = name, arn = arn }]]) : "${pair.name} ${pair.arn}" => pair }

  role       = aws_iam_role.task[each.value.name].name
  policy_arn = each.value.arn
}

resource "aws_iam_role_policy" "shell" {
  for_each = var.shell ? var.services : {}

  name = "shell"
  role = aws_iam_role.task[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "OpenTheChannel"
        Effect   = "Allow"
        Action   = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
        Resource = "*"
      },
      {
        Sid      = "LogWhatIsDone"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.shell.arn}:*"
      },
      {
        Sid      = "WithTheKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = local.kms_key
      },
    ]
  })
}

# What moves the traffic in a release.
resource "aws_iam_role" "infrastructure" {
  name        = "${var.name}-ecs-releases"
  description = "Moves traffic between target groups during a release"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "infrastructure" {
  role       = aws_iam_role.infrastructure.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
}
