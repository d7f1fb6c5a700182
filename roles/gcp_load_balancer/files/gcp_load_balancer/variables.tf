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
  description = "Name that everything here begins with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", var.name))
    error_message = "A name has at most 30 lower-case letters, digits and '-', begins with a letter and does not end with '-'."
  }
}

variable "domains" {
  description = "Names that it answers to; each gets a certificate of its own, which Google renews."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for domain in var.domains : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]+$", domain))])
    error_message = "A domain is a name such as shop.example.org."
  }
}

variable "dns_zone" {
  description = "Managed zone of Cloud DNS in which the names are made; nothing when the names are kept elsewhere."
  type        = string
  default     = null
}

variable "backends" {
  description = "What is behind it, by name. cloud_run: a service of that name; or zones: in which of them an endpoint group of the backend's name waits for a Service of GKE (annotation cloud.google.com/neg). grpc speaks HTTP/2 without TLS to the pods; port and health (a path, or a gRPC service) are for zones; domains it answers to (all when none is named), path below which; timeout in seconds."
  type = map(object({
    cloud_run = optional(string)
    zones     = optional(set(string), [])
    port      = optional(number, 8080)
    grpc      = optional(bool, false)
    health    = optional(string)
    domains   = optional(set(string), [])
    path      = optional(string, "/")
    timeout   = optional(number, 30)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for backend in var.backends : (backend.cloud_run == null) != (length(backend.zones) == 0)])
    error_message = "A backend has one of cloud_run and zones."
  }

  validation {
    condition     = alltrue([for name, _ in var.backends : can(regex("^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$", name)) && name != "static"])
    error_message = "A backend's name has at most 30 lower-case letters, digits and '-', and is not static."
  }

  validation {
    condition     = alltrue([for backend in var.backends : startswith(backend.path, "/")])
    error_message = "A path begins with /."
  }

  validation {
    condition     = alltrue([for backend in var.backends : length(setsubtract(backend.domains, var.domains)) == 0])
    error_message = "A backend answers to domains only."
  }

  validation {
    condition     = length(var.backends) == 0 || length(var.domains) > 0
    error_message = "Backends need domains: a load balancer without a name has no certificate."
  }
}

variable "network" {
  description = "The network of endpoint groups (zones), as projects/PROJECT/global/networks/NAME."
  type        = string
  default     = null

  validation {
    condition     = var.network != null || alltrue([for backend in var.backends : length(backend.zones) == 0])
    error_message = "Backends in zones need network and subnet."
  }
}

variable "subnet" {
  description = "The subnet of endpoint groups (zones), as projects/PROJECT/regions/REGION/subnetworks/NAME."
  type        = string
  default     = null
}

variable "static_bucket" {
  description = "A bucket for files that everybody may read, made here and served through Google's cache; none when nothing is said."
  type        = string
  default     = null
}

variable "static_path" {
  description = "The path below which the bucket's files are."
  type        = string
  default     = "/static"
  nullable    = false

  validation {
    condition     = startswith(var.static_path, "/")
    error_message = "A path begins with /."
  }
}

variable "armor" {
  description = "Cloud Armor in front: known attacks are refused, and who asks too often."
  type        = bool
  default     = false
  nullable    = false
}

variable "armor_rate" {
  description = "Requests a minute from one address above which it is refused (armor)."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = var.armor_rate >= 1 && var.armor_rate <= 10000
    error_message = "Between 1 and 10000."
  }
}

variable "armor_preview" {
  description = "Only log what Cloud Armor would refuse: for the first days (armor)."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_share" {
  description = "Share of the requests that are logged."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.log_share > 0 && var.log_share <= 1
    error_message = "A share above 0 and up to 1."
  }
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

