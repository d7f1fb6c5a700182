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

variable "services" {
  description = "Services by name. protocol is http or grpc; scale min to max copies; roles in the project for the service's own account; secrets name a secret of Secret Manager per environment variable, as SECRET or SECRET:VERSION; who may call it: everybody (public) or callers; ingress is all, internal or load_balancer; health is a path (http) or a service's name (grpc)."
  type = map(object({
    image       = string
    port        = optional(number, 8080)
    protocol    = optional(string, "http")
    health      = optional(string)
    cpu         = optional(string, "1")
    memory      = optional(string, "512Mi")
    min         = optional(number, 0)
    max         = optional(number, 10)
    concurrency = optional(number, 80)
    timeout     = optional(number, 300)
    variables   = optional(map(string), {})
    secrets     = optional(map(string), {})
    roles       = optional(set(string), [])
    databases   = optional(set(string), [])
    ingress     = optional(string, "internal")
    public      = optional(bool, false)
    callers     = optional(set(string), [])
    revision    = optional(string)
    traffic = optional(list(object({
      revision = optional(string)
      percent  = optional(number)
      tag      = optional(string)
    })), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, _ in var.services : can(regex("^[a-z]([a-z0-9-]{0,47}[a-z0-9])?$", name))])
    error_message = "A service's name has at most 49 lower-case letters, digits and '-', begins with a letter and does not end with '-'."
  }

  validation {
    condition     = alltrue([for service in var.services : contains(["http", "grpc"], service.protocol) && contains(["all", "internal", "load_balancer"], service.ingress)])
    error_message = "protocol is http or grpc, ingress is all, internal or load_balancer."
  }

  validation {
    condition     = alltrue([for service in var.services : service.min >= 0 && service.max >= 1 && service.min <= service.max])
    error_message = "A service's min is between 0 and its max."
  }

  validation {
    condition     = length(setintersection(flatten([for service in var.services : tolist(service.roles)]), ["roles/owner", "roles/editor", "roles/viewer"])) == 0
    error_message = "roles/owner, roles/editor and roles/viewer reach everything: name the roles that the service needs."
  }

  validation {
    condition     = alltrue([for service in var.services : length(setintersection(service.callers, ["allUsers", "allAuthenticatedUsers"])) == 0])
    error_message = "Who means everybody writes public = true."
  }

  validation {
    condition     = alltrue([for service in var.services : length(service.traffic) == 0 || sum(concat([0], [for target in service.traffic : coalesce(target.percent, 0)])) == 100])
    error_message = "The percents of a service's traffic add up to 100."
  }

  validation {
    condition     = alltrue([for name, service in var.services : service.revision == null || startswith(coalesce(service.revision, "-"), "${name}-")])
    error_message = "A revision's name begins with the service's name and '-'."
  }
}

variable "network" {
  description = "The network that services reach the inside by, as projects/PROJECT/global/networks/NAME; none without."
  type        = string
  default     = null
}

variable "subnet" {
  description = "The subnet that services take their addresses from, as projects/PROJECT/regions/REGION/subnetworks/NAME."
  type        = string
  default     = null

  validation {
    condition     = (var.network == null) == (var.subnet == null)
    error_message = "network and subnet belong together."
  }
}

variable "egress" {
  description = "What leaves through the network: private_ranges, or all (then Cloud NAT is the way out, with its addresses and its logs)."
  type        = string
  default     = "private_ranges"
  nullable    = false

  validation {
    condition     = contains(["private_ranges", "all"], var.egress)
    error_message = "egress is private_ranges or all."
  }
}

variable "binary_authorization" {
  description = "Run images only that the project's policy admits."
  type        = bool
  default     = false
  nullable    = false
}

variable "deployers" {
  description = "Members that release new versions, such as serviceAccount:deploy@example.iam.gserviceaccount.com."
  type        = set(string)
  default     = []
  nullable    = false
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

