# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

variable "project" {
  description = "Id of the project."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's id has 6 to 30 lower-case letters, digits and '-', begins with a letter and does not end with '-'."
  }
}

variable "region" {
  description = "Region of what is made here (keys)."
  type        = string
  nullable    = false
}

variable "create" {
  description = "Make the project; it needs billing_account and parent. Otherwise it is there already."
  type        = bool
  default     = false
  nullable    = false
}

variable "billing_account" {
  description = "Billing account that pays for the project, such as 012345-6789AB-CDEF01; also where its budget lives."
  type        = string
  default     = null

  validation {
    condition     = var.billing_account == null || can(regex("^([0-9A-F]{6}-){2}[0-9A-F]{6}$", var.billing_account))
    error_message = "A billing account looks like 012345-6789AB-CDEF01."
  }

  validation {
    condition     = !var.create || var.billing_account != null
    error_message = "A new project needs billing_account: nothing can be switched on in a project that nobody pays for."
  }

  validation {
    condition     = var.monthly_budget == null || var.billing_account != null
    error_message = "A budget lives in a billing account: monthly_budget needs billing_account."
  }
}

variable "parent" {
  description = "Where a new project lies: folders/123 or organizations/123."
  type        = string
  default     = null

  validation {
    condition     = var.parent == null || can(regex("^(folders|organizations)/[0-9]+$", var.parent))
    error_message = "A parent is folders/ or organizations/ and a number, such as folders/123456789012."
  }

  validation {
    condition     = !var.create || var.parent != null
    error_message = "A new project needs parent: folders/NUMBER or organizations/NUMBER."
  }
}

variable "labels" {
  description = "Labels of everything that can have them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have lower-case letters, digits, '-' and '_', at most 63; a key begins with a letter."
  }
}

variable "apis" {
  description = "Interfaces of Google that are switched on, without .googleapis.com. They stay on when this is destroyed."
  type        = set(string)
  nullable    = false
  default = [
    "artifactregistry", "binaryauthorization", "certificatemanager", "cloudbuild", "cloudkms", "cloudresourcemanager", "compute", "container",
    "dns", "gkebackup", "iam", "iamcredentials", "logging", "monitoring", "pubsub", "run", "secretmanager", "servicenetworking", "sqladmin", "sts",
  ]
}

variable "service_accounts" {
  description = "Accounts for programs, by name: their purpose and their roles in the project. They never get a key file."
  type = map(object({
    purpose = optional(string, "")
    roles   = optional(set(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, _ in var.service_accounts : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", name))])
    error_message = "A service account's name has 6 to 30 lower-case letters, digits and '-'."
  }

  validation {
    condition     = length(setintersection(flatten([for account in var.service_accounts : tolist(account.roles)]), ["roles/owner", "roles/editor", "roles/viewer"])) == 0
    error_message = "roles/owner, roles/editor and roles/viewer reach everything: name the roles that the program needs."
  }
}

variable "federation" {
  description = "Who may act as a service account without a key, by name: pipelines of repositories on GitHub or GitLab, or pods of a Kubernetes cluster elsewhere (kind kubernetes; repositories are then NAMESPACE/SERVICEACCOUNT). issuer is for a server of one's own, keys its public keys (a JWKS) when Google cannot fetch them there; refs (refs/heads/main) narrows it to branches or tags."
  type = map(object({
    kind            = string
    issuer          = optional(string)
    keys            = optional(string)
    repositories    = set(string)
    refs            = optional(set(string), [])
    service_account = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for entry in var.federation : contains(["github", "gitlab", "kubernetes"], entry.kind)])
    error_message = "kind is github, gitlab or kubernetes."
  }

  validation {
    condition     = alltrue([for entry in var.federation : entry.kind != "kubernetes" || (entry.issuer != null && length(entry.refs) == 0)])
    error_message = "A cluster has an issuer of its own, and no refs."
  }

  validation {
    condition     = alltrue([for entry in var.federation : length(entry.repositories) > 0 && alltrue([for repository in entry.repositories : can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", repository))])])
    error_message = "repositories names at least one repository as owner/name: without it every repository of that server could sign in."
  }

  validation {
    condition     = alltrue([for entry in var.federation : contains(keys(var.service_accounts), entry.service_account)])
    error_message = "service_account is one of service_accounts."
  }

  validation {
    condition     = alltrue([for name, _ in var.federation : can(regex("^[a-z][a-z0-9-]{3,31}$", name)) && !startswith(name, "gcp-")])
    error_message = "A name here has 4 to 32 lower-case letters, digits and '-', and does not begin with gcp-."
  }
}

variable "federation_pool" {
  description = "Name of the pool in which those who sign in are known. Google keeps the name of a destroyed one for 30 days."
  type        = string
  default     = "pipelines"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{3,31}$", var.federation_pool)) && !startswith(var.federation_pool, "gcp-")
    error_message = "A pool's name has 4 to 32 lower-case letters, digits and '-', and does not begin with gcp-."
  }
}

variable "audit_exempted" {
  description = "Members whose reads are not put into the audit log, such as serviceAccount:backup@example.iam.gserviceaccount.com."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "customer_key" {
  description = "Make a key of one's own in Cloud KMS, which the other layers encrypt with, and let Google's services use it."
  type        = bool
  default     = false
  nullable    = false
}

variable "customer_key_rotation_days" {
  description = "A new version of the key after so many days."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.customer_key_rotation_days >= 1 && var.customer_key_rotation_days <= 365
    error_message = "Between 1 and 365 days."
  }
}

variable "monthly_budget" {
  description = "Warn at half, nine tenths and all of this sum in a month, and when a forecast reaches it; in the account's currency."
  type        = number
  default     = null

  validation {
    condition     = var.monthly_budget == null || coalesce(var.monthly_budget, 0) >= 1
    error_message = "A budget is at least 1."
  }
}

variable "constraints" {
  description = "Constraints of the organisation that are enforced in the project, such as iam.disableServiceAccountKeyCreation or sql.restrictPublicIp. Needs the right to set policies."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to destroy the project itself (one that was made here)."
  type        = bool
  default     = true
  nullable    = false
}
