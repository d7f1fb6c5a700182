# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variable "project" {
  description = "Id of the project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the subnet."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the network; everything in it is named after it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$", var.name))
    error_message = "A name has at most 42 lower-case letters, digits and '-', begins with a letter and does not end with '-'."
  }
}

variable "nodes" {
  description = "Addresses of the subnet of nodes and services."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.nodes, 0))
    error_message = "A network such as 10.128.0.0/20 is wanted."
  }
}

variable "pods" {
  description = "Secondary range of pods; none without Kubernetes."
  type        = string
  default     = null

  validation {
    condition     = var.pods == null || can(cidrhost(var.pods, 0))
    error_message = "A network such as 10.132.0.0/14 is wanted."
  }
}

variable "services" {
  description = "Secondary range of Kubernetes Services; none without Kubernetes."
  type        = string
  default     = null

  validation {
    condition     = var.services == null || can(cidrhost(var.services, 0))
    error_message = "A network such as 10.136.0.0/20 is wanted."
  }

  validation {
    condition     = (var.pods == null) == (var.services == null)
    error_message = "Kubernetes needs both ranges: pods and services."
  }
}

variable "private_services" {
  description = "Addresses of managed databases, which are reached by peering; none without them."
  type        = string
  default     = null

  validation {
    condition     = var.private_services == null || can(cidrhost(var.private_services, 0))
    error_message = "A network such as 10.138.0.0/20 is wanted."
  }
}

variable "reserved" {
  description = "Ranges that lie outside of this network and must not overlap with it, by name: the control plane's, those of peers."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for range in var.reserved : can(cidrhost(range, 0))])
    error_message = "Networks such as 10.137.0.0/28 are wanted."
  }
}

variable "proxies" {
  description = "Addresses of Google's proxies, for load balancers of one region; none without them."
  type        = string
  default     = null

  validation {
    condition     = var.proxies == null || can(cidrhost(var.proxies, 0))
    error_message = "A network such as 10.139.0.0/23 is wanted."
  }
}

variable "nat" {
  description = "Cloud NAT: the way out of what has no public address."
  type        = bool
  default     = true
  nullable    = false
}

variable "nat_addresses" {
  description = "How many fixed addresses the way out has, for those who allow by address; 0 leaves it to Google."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.nat_addresses >= 0 && var.nat_addresses <= 50
    error_message = "Between 0 and 50 addresses."
  }
}

variable "flow_logs" {
  description = "Which share of the flows is logged; 0 turns it off."
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.flow_logs >= 0 && var.flow_logs <= 1
    error_message = "A share between 0 and 1."
  }
}

variable "tunnel_ssh" {
  description = "Let SSH in through Google's identity-aware proxy, which asks who it is."
  type        = bool
  default     = false
  nullable    = false
}

variable "peers" {
  description = "Networks to be joined with, by name, as projects/PROJECT/global/networks/NAME; the other side joins too."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for network in var.peers : can(regex("^projects/[^/]+/global/networks/[^/]+$", network))])
    error_message = "A network is named as projects/PROJECT/global/networks/NAME."
  }
}

variable "labels" {
  description = "Labels of everything that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}
