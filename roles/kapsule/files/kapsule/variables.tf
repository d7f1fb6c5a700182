# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variable "name" {
  description = "Name of the platform, and prefix of everything in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name)) && !endswith(var.name, "-")
    error_message = "The name is 1 to 32 lower-case letters, digits and '-', first a letter, last no '-'."
  }
}

variable "region" {
  description = "The region."
  type        = string

  validation {
    condition     = contains(["fr-par", "it-mil", "nl-ams", "pl-waw"], var.region)
    error_message = "Kapsule is in fr-par, it-mil, nl-ams and pl-waw (fr-par-1 is a zone)."
  }
}

variable "zone" {
  description = "The zone of the gateway, of the load balancer's address, and of pools that name none; the region's first when null."
  type        = string
  default     = null

  validation {
    condition     = var.zone == null || startswith(coalesce(var.zone, "-"), "${var.region}-")
    error_message = "A zone of the region, such as fr-par-1."
  }
}

variable "project" {
  description = "The project, by its id; the caller's default when null, and then no applications are made in IAM."
  type        = string
  default     = null

  validation {
    condition     = var.project == null || can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.project))
    error_message = "A project's id is a UUID."
  }
}

variable "labels" {
  description = "Tags of everything, written name=value."
  type        = map(string)
  default     = {}
}

variable "cidr" {
  description = "Addresses of the private network, between /20 and /29. Cannot be changed later."
  type        = string
  default     = "172.16.16.0/22"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false) && can(regex("/2[0-9]$", var.cidr))
    error_message = "The first address of a network between /20 and /29, such as 172.16.16.0/22."
  }
}

variable "pod_cidr" {
  description = "Addresses of pods. Cannot be changed later."
  type        = string
  default     = "100.72.0.0/15"

  validation {
    condition     = can(cidrhost(var.pod_cidr, 0))
    error_message = "A network such as 100.72.0.0/15."
  }
}

variable "service_cidr" {
  description = "Addresses of Services. Cannot be changed later."
  type        = string
  default     = "10.32.0.0/20"

  validation {
    condition     = can(cidrhost(var.service_cidr, 0))
    error_message = "A network such as 10.32.0.0/20."
  }
}

variable "kubernetes_version" {
  description = "The Kubernetes minor; patches come by themselves in the maintenance window."
  type        = string
  default     = "1.36"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "A minor such as 1.36, in quotes: with automatic patches Kapsule takes no other."
  }
}

variable "maintenance_hour" {
  description = "When patches are installed, on Tuesdays: the hour at which a window of two begins, in UTC."
  type        = number
  default     = 3

  validation {
    condition     = var.maintenance_hour >= 0 && var.maintenance_hour <= 23 && floor(var.maintenance_hour) == var.maintenance_hour
    error_message = "0 to 23."
  }
}

variable "control_plane" {
  description = "The control plane's offer: kapsule is shared and free, the dedicated ones have a service level."
  type        = string
  default     = "kapsule"

  validation {
    condition     = contains(["kapsule", "kapsule-dedicated-4", "kapsule-dedicated-8", "kapsule-dedicated-16"], var.control_plane)
    error_message = "One of: kapsule, kapsule-dedicated-4, kapsule-dedicated-8, kapsule-dedicated-16."
  }
}

variable "cni" {
  description = "The network plugin. Cannot be changed later."
  type        = string
  default     = "cilium"

  validation {
    condition     = contains(["cilium", "calico", "kilo"], var.cni)
    error_message = "One of: cilium, calico, kilo."
  }
}

variable "pools" {
  description = "Pools of nodes by name, each between min and max nodes."
  type = map(object({
    machine = optional(string, "PRO2-S")
    min     = optional(number, 1)
    max     = optional(number, 3)
    disk    = optional(number, 50)
    zone    = optional(string)
    labels  = optional(map(string), {})
    taints  = optional(list(object({ key = string, value = optional(string, ""), effect = string })), [])
  }))
  default = { default = { min = 3, max = 3 } }

  validation {
    condition     = length(var.pools) > 0 && alltrue([for name in keys(var.pools) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "One pool at least; a pool's name is 1 to 20 lower-case letters, digits and '-', first a letter."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.min >= 0 && pool.max >= 1 && pool.min <= pool.max])
    error_message = "min is not above max, and max is one at least."
  }
  validation {
    condition     = anytrue([for pool in values(var.pools) : pool.min >= 1])
    error_message = "One pool at least has a node: the cluster's own services need it."
  }
  validation {
    condition     = alltrue([for pool in values(var.pools) : pool.zone == null || startswith(coalesce(pool.zone, "-"), "${var.region}-")])
    error_message = "A pool's zone is one of the region, such as fr-par-2."
  }
  validation {
    condition     = alltrue(flatten([for pool in values(var.pools) : [for taint in pool.taints : contains(["NoSchedule", "NoExecute", "PreferNoSchedule"], taint.effect)]]))
    error_message = "A taint's effect is NoSchedule, NoExecute or PreferNoSchedule."
  }
}

variable "authorized_networks" {
  description = "Who reaches the control plane, by name; only the cluster's own nodes when empty."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for network in values(var.authorized_networks) : can(cidrhost(network, 0)) && !endswith(network, "/0")])
    error_message = "Networks such as 198.51.100.0/24, not the whole world."
  }
}

variable "gateway_type" {
  description = "The gateway's size: the way out of nodes without public addresses."
  type        = string
  default     = "VPC-GW-S"

  validation {
    condition     = contains(["VPC-GW-S", "VPC-GW-M", "VPC-GW-L", "VPC-GW-XL"], var.gateway_type)
    error_message = "One of: VPC-GW-S, VPC-GW-M, VPC-GW-L, VPC-GW-XL."
  }
}

variable "load_balancer_type" {
  description = "The size of the load balancer that the cluster makes for its ingress."
  type        = string
  default     = "LB-S"

  validation {
    condition     = contains(["LB-S", "LB-GP-M", "LB-GP-L", "LB-GP-XL"], var.load_balancer_type)
    error_message = "One of: LB-S, LB-GP-M, LB-GP-L, LB-GP-XL."
  }
}

variable "domain" {
  description = "The name under which the platform is reached; it and all names below get the load balancer's address when a zone is named too."
  type        = string
  default     = null
}

variable "dns_zone" {
  description = "The DNS zone, kept at Scaleway, that the domain is in; none when null."
  type        = string
  default     = null

  validation {
    condition     = var.dns_zone == null || var.domain == null || var.domain == var.dns_zone || endswith(coalesce(var.domain, "-"), ".${coalesce(var.dns_zone, "-")}")
    error_message = "The domain is not in this zone."
  }
}

variable "buckets" {
  description = "Buckets for apps, by their full names: they are unique at Scaleway."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for bucket in var.buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket))])
    error_message = "A bucket's name is 3 to 63 lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit."
  }
}

variable "key_id" {
  description = "Your own key of Key Manager for buckets; Scaleway's when null."
  type        = string
  default     = null
}

variable "registry" {
  description = "Whether there is a container registry, and its name; none when null."
  type        = string
  default     = null
}

variable "database" {
  description = "A managed database in the private network; none when null."
  type = object({
    engine      = string
    node_type   = optional(string, "DB-PRO2-XXS")
    disk        = optional(number, 20)
    ha          = optional(bool, true)
    backup_days = optional(number, 7)
    names       = optional(list(string), ["app"])
    settings    = optional(map(string), {})
  })
  default = null

  validation {
    condition     = var.database == null || can(regex("^(PostgreSQL-[0-9]+|MySQL-8)$", var.database.engine))
    error_message = "engine is PostgreSQL- and its major, such as PostgreSQL-17, or MySQL-8."
  }
  validation {
    condition     = var.database == null || try(var.database.backup_days >= 1 && var.database.backup_days <= 365, false)
    error_message = "Backups are kept for 1 to 365 days: a database without any is refused."
  }
  validation {
    condition     = var.database == null || try(var.database.disk >= 5, false)
    error_message = "A database's disk has 5 GB at least."
  }
}

variable "database_password" {
  description = "The password of the database's user app. It is in no state."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = (var.database == null) || try(length(var.database_password) >= 12, false)
    error_message = "A database needs the password of its user, 12 characters at least."
  }
}

variable "database_password_version" {
  description = "Raise it when the password is another one: Terraform cannot see that."
  type        = number
  default     = 1
}

variable "secrets" {
  description = "Secrets to make without a value in Secret Manager, by name; beside the database's, which has one."
  type        = set(string)
  default     = []
}

variable "deletion_protection" {
  description = "Whether secrets refuse to be deleted. Clusters, databases and buckets are protected by the stack itself: Scaleway cannot."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long Cockpit keeps logs and metrics of the platform's own."
  type        = number
  default     = 31

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 365
    error_message = "1 to 365 days."
  }
}

variable "alarm_emails" {
  description = "Who hears of alarms and of the budget."
  type        = list(string)
  default     = []
}

variable "monthly_budget" {
  description = "Warn when a month of the whole organisation costs more, in its currency; never when null."
  type        = number
  default     = null

  validation {
    condition     = var.monthly_budget == null || try(var.monthly_budget > 0, false)
    error_message = "A budget is more than nothing."
  }
  validation {
    condition     = var.monthly_budget == null || length(var.alarm_emails) > 0
    error_message = "A budget that warns nobody is none: name an address in alarm_emails."
  }
}
