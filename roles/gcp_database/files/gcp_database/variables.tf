# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variable "project" {
  description = "Id of the project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "The region."
  type        = string
  nullable    = false
}

variable "labels" {
  description = "Labels of everything that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the instance. Google keeps the name of a destroyed one for a week."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,78}[a-z0-9]$", var.name))
    error_message = "A name has lower-case letters, digits and '-', begins with a letter and does not end with '-'."
  }
}

variable "network" {
  description = "The network that the instance is reached from, as projects/PROJECT/global/networks/NAME; it has private service access."
  type        = string
  nullable    = false
}

variable "private_services_range" {
  description = "Name of the range in it that the instance takes its address from; Google chooses when nothing is said."
  type        = string
  default     = null
}

variable "engine" {
  description = "postgres or mysql."
  type        = string
  default     = "postgres"
  nullable    = false

  validation {
    condition     = contains(["postgres", "mysql"], var.engine)
    error_message = "engine is postgres or mysql."
  }
}

variable "engine_version" {
  description = "Major version, such as 17 of PostgreSQL or 8.4 of MySQL."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = contains(var.engine == "postgres" ? ["14", "15", "16", "17", "18"] : ["8.0", "8.4"], var.engine_version)
    error_message = "Google offers PostgreSQL 14 to 18 and MySQL 8.0 and 8.4."
  }
}

variable "edition" {
  description = "ENTERPRISE or ENTERPRISE_PLUS."
  type        = string
  default     = "ENTERPRISE"
  nullable    = false

  validation {
    condition     = contains(["ENTERPRISE", "ENTERPRISE_PLUS"], var.edition)
    error_message = "edition is ENTERPRISE or ENTERPRISE_PLUS."
  }
}

variable "tier" {
  description = "Machine type, as Cloud SQL calls it."
  type        = string
  default     = "db-custom-2-7680"
  nullable    = false

  validation {
    condition     = startswith(var.tier, "db-")
    error_message = "Cloud SQL's machine types begin with db-, such as db-custom-2-7680."
  }
}

variable "disk" {
  description = "Size of the disk in GiB to begin with; it grows by itself and never shrinks."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.disk >= 10
    error_message = "At least 10 GiB."
  }
}

variable "disk_limit" {
  description = "The disk grows no further than this, in GiB; 0 is no limit."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.disk_limit == 0 || var.disk_limit >= var.disk
    error_message = "A limit is not below the disk's first size."
  }
}

variable "ha" {
  description = "A standby in another zone, which takes over by itself."
  type        = bool
  default     = true
  nullable    = false
}

variable "backup_days" {
  description = "How many daily backups are kept."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 365
    error_message = "Between 1 and 365."
  }
}

variable "log_days" {
  description = "To any moment of how many last days it can be restored; at most 7, with ENTERPRISE_PLUS 35."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.log_days >= 1 && var.log_days <= (var.edition == "ENTERPRISE_PLUS" ? 35 : 7) && var.log_days <= var.backup_days
    error_message = "Between 1 and 7 (ENTERPRISE_PLUS: 35), and not more than backup_days."
  }
}

variable "backup_location" {
  description = "Where backups lie; the nearest multi-region when nothing is said."
  type        = string
  default     = null
}

variable "flags" {
  description = "Flags of the engine beside those that this layer sets (audit and logging); the same name wins over them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "databases" {
  description = "Databases to make."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "iam_users" {
  description = "Who signs in with a token of Google's instead of a password: e-mail addresses of people, of service accounts, or of groups."
  type = map(object({
    kind = optional(string, "service_account")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for user in var.iam_users : contains(["user", "service_account", "group"], user.kind)])
    error_message = "kind is user, service_account or group."
  }
}

variable "users" {
  description = "Users with a password, by name, for programs that cannot do without. The password is made while it is sent, put into Secret Manager, and is in no state and no plan; another number makes another password."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, _ in var.users : can(regex("^[a-z][a-z0-9_-]{0,31}$", name))])
    error_message = "A user's name has at most 32 lower-case letters, digits, '-' and '_', and begins with a letter."
  }
}

variable "client_certificates" {
  description = "Let in only who shows a certificate of the instance's own authority, as Google's connectors do by themselves."
  type        = bool
  default     = false
  nullable    = false
}

variable "maintenance" {
  description = "When Google may restart it: day (1 is Monday) and hour, UTC."
  type = object({
    day  = optional(number, 7)
    hour = optional(number, 3)
  })
  default  = {}
  nullable = false
}

variable "kms_key" {
  description = "Key in Cloud KMS that encrypts what is stored; Google's own when nothing is said."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Refuse to destroy what holds data or serves users."
  type        = bool
  default     = true
  nullable    = false
}

