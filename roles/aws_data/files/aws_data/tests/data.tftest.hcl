# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variables {
  name            = "shop"
  region          = "eu-west-3"
  vpc_id          = "vpc-0a1b"
  cidr            = "10.60.0.0/16"
  data_subnet_ids = ["subnet-0e", "subnet-0f"]
}

run "nothing_asked_for" {
  command = plan

  assert {
    condition     = length(aws_db_instance.main) == 0 && length(aws_sns_topic.alarms) == 0
    error_message = "No database unless there is one."
  }
}

run "a_database_nobody_has_the_password_of" {
  command = plan

  variables {
    database = { engine = "postgres", version = "17" }
  }

  assert {
    condition     = aws_db_instance.main["main"].manage_master_user_password && aws_db_instance.main["main"].password == null
    error_message = "Secrets Manager makes and keeps the password."
  }
  assert {
    condition     = aws_db_instance.main["main"].multi_az && aws_db_instance.main["main"].backup_retention_period == 7
    error_message = "A standby, and a week of backups."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.database["main"].from_port == 5432
    error_message = "PostgreSQL's port."
  }
  assert {
    condition     = anytrue([for parameter in aws_db_parameter_group.main["main"].parameter : parameter.name == "rds.force_ssl" && parameter.value == "1"])
    error_message = "No connection in the clear."
  }
}

run "mysql" {
  command = plan

  variables {
    database = { engine = "mysql", version = "8.4" }
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.database["main"].from_port == 3306 && aws_db_parameter_group.main["main"].family == "mysql8.4"
    error_message = "MySQL's port and family."
  }
}

run "a_version_is_a_major" {
  command = plan

  variables {
    database = { engine = "postgres", version = "17.2" }
  }

  expect_failures = [var.database]
}
