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

variable "cidr" {
  description = "Addresses of the VPC, between /16 and /24. Cannot be changed later."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "The first address of an IPv4 network with its length, such as 10.64.0.0/16."
  }
  validation {
    condition     = can(regex("/(1[6-9]|2[0-4])$", var.cidr))
    error_message = "AWS takes networks from /16; two zones with a load balancer need /24 at least."
  }
}

variable "zones" {
  description = "Over how many availability zones. More can be added later without moving the others."
  type        = number
  default     = 3

  validation {
    condition     = var.zones >= 2 && var.zones <= 6 && floor(var.zones) == var.zones
    error_message = "2 to 6 zones: load balancers and clusters need two."
  }
  validation {
    condition     = var.zones <= pow(2, local.zone_bits)
    error_message = "The network is too small for so many zones: a /24 holds 2 of them, a /23 holds 4, a /22 holds all."
  }
  validation {
    condition     = var.zones <= length(local.known_zones)
    error_message = "There are fewer zones: this region's are ${join(", ", local.known_zones)}."
  }
}

variable "zone_names" {
  description = "The zones by name, where an account's zones are not those that the region is known for."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for zone in var.zone_names : startswith(zone, var.region)])
    error_message = "Zones of the region, such as eu-west-3a."
  }
}

variable "nat" {
  description = "NAT gateways: one, one per_zone, or none. Without them, endpoints carry what is needed."
  type        = string
  default     = "one"

  validation {
    condition     = contains(["one", "per_zone", "none"], var.nat)
    error_message = "One of: one, per_zone, none."
  }
}

variable "endpoints" {
  description = "AWS services that are reached without leaving the VPC, beside S3 and DynamoDB. Without NAT, what clusters need is added."
  type        = set(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long flow logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "kms_key_arn" {
  description = "Your own key for logs; one is made when null."
  type        = string
  default     = null
}

variable "monthly_budget" {
  description = "Warn when a month costs more, in US dollars; never when null."
  type        = number
  default     = null

  validation {
    condition     = var.monthly_budget == null || try(var.monthly_budget > 0, false)
    error_message = "A budget is more than nothing."
  }
}

variable "budget_emails" {
  description = "Who is warned."
  type        = list(string)
  default     = []

  validation {
    condition     = var.monthly_budget == null || length(var.budget_emails) > 0
    error_message = "A budget that warns nobody is none: name an address."
  }
}
