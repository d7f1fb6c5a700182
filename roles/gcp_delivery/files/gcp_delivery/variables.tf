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
  description = "Name that the buckets, the dashboard and the alerts begin with."
  type        = string
  nullable    = false
}

variable "registries" {
  description = "Repositories of Artifact Registry by name: kind (docker, npm, python, maven, go), whether a tag may be moved, how many versions are always kept, after how many days untagged ones go, who writes and who reads."
  type = map(object({
    kind      = optional(string, "docker")
    immutable = optional(bool, true)
    keep      = optional(number, 20)
    untagged  = optional(number, 14)
    writers   = optional(set(string), [])
    readers   = optional(set(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for registry in var.registries : contains(["docker", "npm", "python", "maven", "go"], registry.kind)])
    error_message = "kind is docker, npm, python, maven or go."
  }

  validation {
    condition     = alltrue(flatten([for registry in var.registries : [for member in concat(tolist(registry.writers), tolist(registry.readers)) : !contains(["allUsers", "allAuthenticatedUsers"], member)]]))
    error_message = "A registry is private: name its writers and readers."
  }
}

variable "builds" {
  description = "Triggers of Cloud Build by name: repository (the id of a connected one), branch or tag as a pattern, the file with the steps, substitutions, roles of its own account in the project, whether somebody has to approve."
  type = map(object({
    repository    = string
    branch        = optional(string)
    tag           = optional(string)
    file          = optional(string, "cloudbuild.yaml")
    substitutions = optional(map(string), {})
    roles         = optional(set(string), [])
    approval      = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for build in var.builds : (build.branch == null) != (build.tag == null)])
    error_message = "A trigger has one of branch and tag."
  }

  validation {
    condition     = alltrue([for build in var.builds : can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", build.repository))])
    error_message = "repository is projects/PROJECT/locations/REGION/connections/CONNECTION/repositories/NAME."
  }

  validation {
    condition     = length(setintersection(flatten([for build in var.builds : tolist(build.roles)]), ["roles/owner", "roles/editor", "roles/viewer"])) == 0
    error_message = "roles/owner, roles/editor and roles/viewer reach everything: name the roles that the build needs."
  }

  validation {
    condition     = alltrue([for name, _ in var.builds : can(regex("^[a-z][a-z0-9-]{0,62}[a-z0-9]$", name))])
    error_message = "A trigger's name has 2 to 64 lower-case letters, digits and '-'."
  }
}

variable "secrets" {
  description = "Secrets of Secret Manager by name; readers are members. With version, a number, its value is taken from secret_values, and again when the number is another; without, somebody else puts it there."
  type = map(object({
    version = optional(number)
    readers = optional(set(string), [])
  }))
  default  = {}
  nullable = false
}

variable "secret_values" {
  description = "Values of secrets by name. They are sent to Secret Manager and are not in the state."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true

  validation {
    condition     = alltrue([for name, secret in var.secrets : secret.version == null || contains(nonsensitive(keys(var.secret_values)), name)])
    error_message = "A secret with a version has a value in secret_values."
  }
}

variable "alert_emails" {
  description = "Who is told when something is wrong."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "uptime" {
  description = "Addresses that are asked from outside, by name: host and path."
  type = map(object({
    host = string
    path = optional(string, "/")
  }))
  default  = {}
  nullable = false
}

variable "watch" {
  description = "What is watched beside the addresses: cloud_run, gke, database, load_balancer, pubsub."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.watch, ["cloud_run", "gke", "database", "load_balancer", "pubsub"])) == 0
    error_message = "Watched can be cloud_run, gke, database, load_balancer and pubsub."
  }
}

variable "error_share" {
  description = "Share of answers that are the server's errors above which somebody is told."
  type        = number
  default     = 0.02
  nullable    = false

  validation {
    condition     = var.error_share > 0 && var.error_share < 1
    error_message = "A share between 0 and 1."
  }
}

variable "latency" {
  description = "Milliseconds within which 95 of 100 answers are expected."
  type        = number
  default     = 1000
  nullable    = false
}

variable "log_days" {
  description = "For how many days logs are kept where they can be searched."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.log_days >= 1 && var.log_days <= 3650
    error_message = "Between 1 and 3650."
  }
}

variable "audit_days" {
  description = "For how many days the audit log is kept in a bucket of its own."
  type        = number
  default     = 400
  nullable    = false
}

variable "audit_lock" {
  description = "Lock that bucket: nobody, not even an owner, can shorten it or delete from it. It cannot be undone."
  type        = bool
  default     = false
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


variable "buckets" {
  description = "Buckets for apps, by name (a bucket's name is its own in the whole world): who writes and who reads; old versions go after so many days."
  type = map(object({
    writers  = optional(set(string), [])
    readers  = optional(set(string), [])
    old_days = optional(number, 30)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, _ in var.buckets : can(regex("^[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]$", name))])
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, '-', '_' and '.'."
  }

  validation {
    condition     = alltrue(flatten([for bucket in var.buckets : [for member in concat(tolist(bucket.writers), tolist(bucket.readers)) : !contains(["allUsers", "allAuthenticatedUsers"], member)]]))
    error_message = "A bucket is private: name its writers and readers. Public files belong into the load balancer's bucket."
  }
}
