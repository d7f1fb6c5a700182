# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variable "project" {
  description = "Id of the project."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "Number of the project: Pub/Sub's own account, which moves dead letters, is called by it."
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

variable "topics" {
  description = "Topics by name. retention, ack and backoff in seconds; attempts until a message goes to the dead letters; a schema checks each message; filter, push and ordering belong to a subscription; publishers and subscribers are members such as serviceAccount:shop@example.iam.gserviceaccount.com."
  type = map(object({
    retention   = optional(number, 604800)
    dead_letter = optional(bool, true)
    publishers  = optional(set(string), [])
    schema = optional(object({
      type       = optional(string, "AVRO")
      definition = string
      encoding   = optional(string, "JSON")
    }))
    subscriptions = optional(map(object({
      ack                  = optional(number, 60)
      retention            = optional(number, 604800)
      attempts             = optional(number, 5)
      backoff_min          = optional(number, 10)
      backoff_max          = optional(number, 600)
      filter               = optional(string)
      ordering             = optional(bool, false)
      exactly_once         = optional(bool, false)
      push_endpoint        = optional(string)
      push_service_account = optional(string)
      subscribers          = optional(set(string), [])
    })), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, _ in var.topics : can(regex("^[A-Za-z][A-Za-z0-9._~%+-]{2,254}$", name)) && !startswith(name, "goog")])
    error_message = "A topic's name has 3 to 255 characters, begins with a letter and not with goog."
  }

  validation {
    condition     = alltrue([for topic in var.topics : topic.retention >= 600 && topic.retention <= 2678400])
    error_message = "Topics keep messages between 10 minutes (600) and 31 days (2678400)."
  }

  validation {
    condition     = alltrue(flatten([for topic in var.topics : [for entry in topic.subscriptions : entry.ack >= 10 && entry.ack <= 600 && entry.attempts >= 5 && entry.attempts <= 100 && entry.retention >= 600 && entry.retention <= 2678400]]))
    error_message = "A subscription has ack between 10 and 600, attempts between 5 and 100, retention between 600 and 2678400."
  }

  validation {
    condition     = alltrue(flatten([for topic in var.topics : [for entry in topic.subscriptions : entry.push_endpoint == null || (startswith(coalesce(entry.push_endpoint, "-"), "https://") && entry.push_service_account != null)]]))
    error_message = "A push goes to an https:// address and is signed as push_service_account: otherwise anybody could send there."
  }

  validation {
    condition     = length(distinct(flatten([for topic in var.topics : keys(topic.subscriptions)]))) == length(flatten([for topic in var.topics : keys(topic.subscriptions)]))
    error_message = "Two topics have a subscription of the same name: a project has each name once."
  }

  validation {
    condition     = alltrue(flatten([for topic in var.topics : [for member in concat(tolist(topic.publishers), flatten([for entry in topic.subscriptions : tolist(entry.subscribers)])) : !contains(["allUsers", "allAuthenticatedUsers"], member)]]))
    error_message = "allUsers is everybody: name who publishes and who subscribes."
  }
}

variable "regions" {
  description = "Regions in which messages may be stored; the region alone when none is named."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "kms_key" {
  description = "Key in Cloud KMS that encrypts what is stored; Google's own when nothing is said."
  type        = string
  default     = null
}

