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

variable "private_subnet_ids" {
  description = "Subnets of nodes and of the control plane's own addresses, in two zones at least."
  type        = list(string)
}

variable "kubernetes_version" {
  description = "The Kubernetes minor; upgrades go one minor at a time."
  type        = string
  default     = "1.36"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "A minor such as 1.36, in quotes: EKS chooses the patch."
  }
}

variable "mode" {
  description = "Who runs the nodes: auto (EKS Auto Mode) or pools (yours, with launch templates)."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["auto", "pools"], var.mode)
    error_message = "One of: auto, pools."
  }
}

variable "pools" {
  description = "Pools of nodes by name (mode pools)."
  type = map(object({
    machine = optional(string, "m7i.large")
    min     = optional(number, 1)
    max     = optional(number, 3)
    disk    = optional(number, 50)
    spot    = optional(bool, false)
    labels  = optional(map(string), {})
    taints  = optional(list(object({ key = string, value = optional(string), effect = string })), [])
  }))
  default = {}

  validation {
    condition     = (var.mode == "pools") == (length(var.pools) > 0)
    error_message = "Pools belong to mode pools, which needs one at least; Auto Mode has none of yours."
  }
  validation {
    condition     = alltrue([for name in keys(var.pools) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "A pool's name is 1 to 20 lower-case letters, digits and '-', first a letter."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.min >= 0 && pool.max >= 1 && pool.min <= pool.max])
    error_message = "min is not above max, and max is one at least."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.disk >= 20])
    error_message = "A node's disk has 20 GiB at least."
  }
  validation {
    condition     = alltrue(flatten([for pool in values(var.pools) : [for taint in pool.taints : contains(["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"], taint.effect)]]))
    error_message = "A taint's effect is NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE."
  }
}

variable "service_cidr" {
  description = "Addresses of Services; not in the VPC's. Cannot be changed later."
  type        = string
  default     = "172.20.0.0/16"

  validation {
    condition     = can(regex("^(10|172|192)\\..*/(1[2-9]|2[0-4])$", var.service_cidr)) && can(cidrhost(var.service_cidr, 0))
    error_message = "A private network between /12 and /24."
  }
}

variable "authorized_networks" {
  description = "Who reaches the control plane from outside, by name; only the VPC when empty."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for network in values(var.authorized_networks) : can(cidrhost(network, 0))])
    error_message = "Networks such as 198.51.100.0/24."
  }
  validation {
    condition     = alltrue([for network in values(var.authorized_networks) : !endswith(network, "/0")])
    error_message = "The whole world is not authorized: name the networks of your people."
  }
}

variable "inner_networks" {
  description = "Who reaches the control plane at its private addresses beside the nodes, by name: a VPN, a peered network."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for network in values(var.inner_networks) : can(cidrhost(network, 0)) && !endswith(network, "/0")])
    error_message = "Networks such as 10.8.0.0/24, not the whole world."
  }
}

variable "creator_is_admin" {
  description = "Whether the identity that makes the cluster administers it. Cannot be changed later."
  type        = bool
  default     = true
}

variable "access" {
  description = "Who else may do what, by name: the ARN of a role or user, with a level, everywhere or in namespaces."
  type = map(object({
    principal_arn = string
    level         = optional(string)
    namespaces    = optional(list(string), [])
    groups        = optional(list(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for entry in values(var.access) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/", entry.principal_arn))])
    error_message = "principal_arn is the ARN of a role or user, not of a session."
  }
  validation {
    condition     = alltrue([for entry in values(var.access) : entry.level == null || contains(["cluster-admin", "admin", "edit", "view"], coalesce(entry.level, "view"))])
    error_message = "level is one of cluster-admin, admin, edit, view."
  }
  validation {
    condition     = alltrue([for entry in values(var.access) : entry.level != null || length(entry.groups) > 0])
    error_message = "An entry has a level, or groups that something in the cluster knows."
  }
}

variable "domain" {
  description = "The name under which the platform is reached; a certificate for it and all names below is made when a zone is named too."
  type        = string
  default     = null
}

variable "dns_zone" {
  description = "The Route 53 zone in which the cluster keeps names; none when null."
  type        = string
  default     = null

  validation {
    condition     = var.dns_zone == null || var.domain == null || var.domain == var.dns_zone || endswith(coalesce(var.domain, "-"), ".${coalesce(var.dns_zone, "-")}")
    error_message = "The domain is not in this zone."
  }
}

variable "create_dns_zone" {
  description = "Whether the zone is made here; its name servers are an output."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_dns_zone || var.dns_zone != null
    error_message = "A zone that is made has a name: dns_zone."
  }
}

variable "log_retention_days" {
  description = "How long the control plane's logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "kms_key_arn" {
  description = "Your own key for Secrets and logs; one is made when null. Cannot be changed later."
  type        = string
  default     = null
}

variable "volume_kms_key_arn" {
  description = "Your own key for the disks of nodes (mode pools), which the service-linked role of Auto Scaling may use; the account's when null."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the cluster refuses to be deleted."
  type        = bool
  default     = true
}
