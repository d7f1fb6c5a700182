# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variable "name" {
  description = "Name of the platform, and prefix of everything in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name)) && !endswith(var.name, "-")
    error_message = "The name is 1 to 32 lower-case letters, digits and '-', first a letter, last no '-': load balancers take no more."
  }
}

variable "region" {
  description = "The region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region of AWS, such as eu-west-3 (a zone such as eu-west-3a is no region)."
  }
}

variable "account" {
  description = "The account that this may be done in; any when null."
  type        = string
  default     = null

  validation {
    condition     = var.account == null || can(regex("^[0-9]{12}$", var.account))
    error_message = "An account is its 12 digits, as text."
  }
}

variable "labels" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "cidr" {
  description = "Its addresses: who reaches the database."
  type        = string
}

variable "data_subnet_ids" {
  description = "Subnets of the database, in two zones at least."
  type        = list(string)
}

variable "database" {
  description = "A PostgreSQL or MySQL database; none when null."
  type = object({
    engine           = string
    version          = string
    machine          = optional(string, "db.t4g.medium")
    disk             = optional(number, 20)
    ha               = optional(bool, true)
    backup_days      = optional(number, 7)
    name             = optional(string, "app")
    settings         = optional(map(string), {})
    restart_settings = optional(map(string), {})

    allow_major_upgrade = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.database == null || try(contains(["postgres", "mysql"], var.database.engine), false)
    error_message = "engine is postgres or mysql."
  }
  validation {
    condition     = var.database == null || try(can(regex(var.database.engine == "mysql" ? "^8\\.[04]$" : "^1[3-9]$", var.database.version)), false)
    error_message = "version is the major: 17 for PostgreSQL, 8.4 for MySQL."
  }
  validation {
    condition     = var.database == null || try(startswith(var.database.machine, "db."), false)
    error_message = "machine is a class of RDS, such as db.m7g.large."
  }
  validation {
    condition     = var.database == null || try(var.database.backup_days >= 1 && var.database.backup_days <= 35, false)
    error_message = "RDS keeps backups for 1 to 35 days; a database without any is refused."
  }
  validation {
    condition     = var.database == null || try(var.database.disk >= 20, false)
    error_message = "A database's disk has 20 GiB at least."
  }
}

variable "buckets" {
  description = "Buckets for apps, by their full names: they are unique in the world."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for bucket in var.buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket))])
    error_message = "A bucket's name is 3 to 63 lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit."
  }
}

variable "log_retention_days" {
  description = "How long the database's logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "kms_key_arn" {
  description = "Your own key for everything here; one is made when null. Cannot be changed later."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
  default     = true
}

variable "alarm_emails" {
  description = "Who hears of alarms."
  type        = list(string)
  default     = []
}
