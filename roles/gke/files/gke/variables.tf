# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variable "project" {
  description = "Id of the project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the cluster; its control plane and its nodes are in three of its zones."
  type        = string
  nullable    = false

  validation {
    condition     = !can(regex("-[a-z]$", var.region))
    error_message = "A region such as europe-west1 is wanted, not a zone: a cluster of one zone is lost with it."
  }
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", var.name))
    error_message = "A cluster's name has at most 40 lower-case letters, digits and '-', begins with a letter and does not end with '-'."
  }
}

variable "mode" {
  description = "autopilot: Google runs the nodes. standard: the pools below."
  type        = string
  default     = "autopilot"
  nullable    = false

  validation {
    condition     = contains(["autopilot", "standard"], var.mode)
    error_message = "mode is autopilot or standard."
  }
}

variable "network" {
  description = "The network, as projects/PROJECT/global/networks/NAME."
  type        = string
  nullable    = false
}

variable "subnet" {
  description = "The subnet of the nodes, as projects/PROJECT/regions/REGION/subnetworks/NAME."
  type        = string
  nullable    = false
}

variable "pods_range" {
  description = "Name of the subnet's secondary range of pods."
  type        = string
  default     = "pods"
  nullable    = false
}

variable "services_range" {
  description = "Name of the subnet's secondary range of Services."
  type        = string
  default     = "services"
  nullable    = false
}

variable "control_plane" {
  description = "Addresses of the control plane's own network, a /28; Google chooses when nothing is said."
  type        = string
  default     = null

  validation {
    condition     = var.control_plane == null || endswith(coalesce(var.control_plane, "/28"), "/28")
    error_message = "The control plane takes a /28, such as 10.137.0.0/28."
  }
}

variable "authorized_networks" {
  description = "Networks that reach the control plane from outside, by name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for range in var.authorized_networks : can(cidrhost(range, 0))])
    error_message = "Networks such as 198.51.100.0/24 are wanted."
  }

  validation {
    condition     = !contains(values(var.authorized_networks), "0.0.0.0/0")
    error_message = "0.0.0.0/0 is everybody: name the networks of your people, or reach the cluster by its name (dns_endpoint)."
  }
}

variable "private_endpoint" {
  description = "Reach the control plane from inside the network only, never from a public address."
  type        = bool
  default     = false
  nullable    = false
}

variable "dns_endpoint" {
  description = "Also reach the control plane by a name that answers to whoever has the right in IAM, whatever the address: for pipelines."
  type        = bool
  default     = false
  nullable    = false
}

variable "channel" {
  description = "Release channel: rapid, regular, stable or extended."
  type        = string
  default     = "regular"
  nullable    = false

  validation {
    condition     = contains(["rapid", "regular", "stable", "extended"], var.channel)
    error_message = "channel is rapid, regular, stable or extended."
  }
}

variable "maintenance" {
  description = "When Google may upgrade: start and end of a window of four hours or more (RFC 3339), and how it recurs (RFC 5545)."
  type = object({
    start      = optional(string, "2026-01-03T02:00:00Z")
    end        = optional(string, "2026-01-03T08:00:00Z")
    recurrence = optional(string, "FREQ=WEEKLY;BYDAY=SA,SU")
  })
  default  = {}
  nullable = false
}

variable "pools" {
  description = "Pools of nodes by name (standard): machine type, at least and at most so many nodes in all zones together, disk in GiB, spot, labels, and taints as KEY=VALUE:EFFECT."
  type = map(object({
    machine = optional(string, "e2-standard-4")
    min     = optional(number, 1)
    max     = optional(number, 3)
    disk    = optional(number, 50)
    spot    = optional(bool, false)
    labels  = optional(map(string), {})
    taints  = optional(set(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = var.mode == "standard" || length(var.pools) == 0
    error_message = "Autopilot has no pools of yours: mode = standard beside them."
  }

  validation {
    condition     = var.mode == "autopilot" || length(var.pools) > 0
    error_message = "A standard cluster needs a pool at least."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.min >= 0 && pool.max >= 1 && pool.min <= pool.max])
    error_message = "A pool's min is between 0 and its max."
  }

  validation {
    condition     = alltrue([for pool in var.pools : alltrue([for taint in pool.taints : can(regex("^[^=:]+=[^=:]*:(NO_SCHEDULE|PREFER_NO_SCHEDULE|NO_EXECUTE)$", taint))])])
    error_message = "A taint is KEY=VALUE:EFFECT with NO_SCHEDULE, PREFER_NO_SCHEDULE or NO_EXECUTE."
  }
}

variable "volumes" {
  description = "regional: every volume has a copy in a second zone. zonal: in one zone only."
  type        = string
  default     = "regional"
  nullable    = false

  validation {
    condition     = contains(["regional", "zonal"], var.volumes)
    error_message = "volumes is regional or zonal."
  }
}

variable "backup" {
  description = "Backup for GKE: everything in the cluster, with its volumes and secrets."
  type        = bool
  default     = true
  nullable    = false
}

variable "backup_schedule" {
  description = "When backups are made, as in cron, in UTC."
  type        = string
  default     = "20 1 * * *"
  nullable    = false
}

variable "backup_days" {
  description = "For how many days backups are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.backup_days >= var.backup_lock_days && var.backup_days <= 365
    error_message = "Between backup_lock_days and 365."
  }
}

variable "backup_lock_days" {
  description = "For how many days nobody can delete a backup, not even an owner."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_lock_days >= 0 && var.backup_lock_days <= 90
    error_message = "Between 0 and 90."
  }
}

variable "binary_authorization" {
  description = "Run images only that the project's policy (attestors) admits."
  type        = bool
  default     = false
  nullable    = false
}

variable "attestors" {
  description = "Who must have signed an image, as projects/PROJECT/attestors/NAME (binary_authorization)."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = !var.binary_authorization || length(var.attestors) > 0
    error_message = "binary_authorization needs an attestor at least: without one no image of yours would start."
  }
}

variable "kms_key" {
  description = "Key in Cloud KMS that encrypts Kubernetes Secrets, nodes' disks, volumes and backups; Google's own when nothing is said."
  type        = string
  default     = null
}

variable "security_group" {
  description = "Group for access by groups, such as gke-security-groups@example.org."
  type        = string
  default     = null

  validation {
    condition     = var.security_group == null || startswith(coalesce(var.security_group, "-"), "gke-security-groups@")
    error_message = "Google wants the group to be called gke-security-groups@DOMAIN."
  }
}

variable "deployers" {
  description = "Who deploys into the cluster with short-lived tokens: member (such as serviceAccount:argocd@example.iam.gserviceaccount.com) and its role in the cluster (cluster-admin, admin, edit, view)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for member, _ in var.deployers : can(regex("^(user|group|serviceAccount):[^:]+$", member))])
    error_message = "A member is user:, group: or serviceAccount: and an e-mail address."
  }
}

variable "labels" {
  description = "Labels of everything that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to destroy the cluster."
  type        = bool
  default     = true
  nullable    = false
}
