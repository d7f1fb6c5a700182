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

variable "cidr" {
  description = "Its addresses: what tasks reach on any port."
  type        = string
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer, two at least."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "services" {
  description = "The services by name. Those with a port are behind the load balancer."
  type = map(object({
    image        = optional(string)
    first_tag    = optional(string, "first")
    port         = optional(number)
    protocol     = optional(string, "http")
    health       = optional(string, "/")
    paths        = optional(list(string), ["/*"])
    hosts        = optional(list(string), [])
    priority     = optional(number)
    cpu          = optional(number, 256)
    memory       = optional(number, 512)
    min          = optional(number, 2)
    max          = optional(number, 6)
    cpu_target   = optional(number, 60)
    environment  = optional(map(string), {})
    secrets      = optional(map(string), {})
    kept         = optional(map(number), {})
    database     = optional(bool, false)
    command      = optional(list(string))
    writable     = optional(bool, false)
    policy_arns  = optional(list(string), [])
    error_rate   = optional(number, 5)
    slow_seconds = optional(number)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.services) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "A service's name is 1 to 20 lower-case letters, digits and '-', first a letter."
  }
  validation {
    condition = alltrue([for service in values(var.services) : contains(lookup({
      256  = [512, 1024, 2048], 512 = range(1024, 4097, 1024), 1024 = range(2048, 8193, 1024), 2048 = range(4096, 16385, 1024),
      4096 = range(8192, 30721, 1024), 8192 = range(16384, 61441, 4096), 16384 = range(32768, 122881, 8192)
    }, service.cpu, []), service.memory)])
    error_message = "Fargate has no such size. cpu 256 goes with memory 512, 1024 or 2048; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720, each in steps of 1024."
  }
  validation {
    condition     = alltrue([for service in values(var.services) : service.min >= 1 && service.min <= service.max])
    error_message = "min is 1 at least and not above max."
  }
  validation {
    condition     = alltrue([for service in values(var.services) : contains(["http", "grpc"], service.protocol)])
    error_message = "protocol is http or grpc."
  }
  validation {
    condition     = alltrue([for service in values(var.services) : startswith(service.health, "/")])
    error_message = "health is a path, such as /health."
  }
  validation {
    condition     = alltrue([for service in values(var.services) : alltrue([for path in service.paths : startswith(path, "/")]) && length(service.paths) > 0 && length(service.paths) + length(service.hosts) <= 4])
    error_message = "paths are patterns such as /api/*, one at least, and together with hosts four at most: AWS takes five conditions in a rule."
  }
  validation {
    condition     = length(distinct([for name, service in var.services : coalesce(service.priority, parseint(substr(md5(name), 0, 6), 16) % 10000)])) == length(var.services)
    error_message = "Two services have the same place in the order of rules: give one of them another priority (0 to 9999)."
  }
  validation {
    condition     = alltrue([for service in values(var.services) : service.priority == null || try(service.priority >= 0 && service.priority <= 9999, false)])
    error_message = "priority is 0 to 9999."
  }
  validation {
    condition     = alltrue(flatten([for service in values(var.services) : [for arn in values(service.secrets) : can(regex("^arn:aws[a-z-]*:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+|ssm:[^:]+:[0-9]{12}:parameter/)", arn))]]))
    error_message = "secrets are ARNs of Secrets Manager or of parameters (SSM), never values."
  }
}

variable "database" {
  description = "The database of services that use one: they find it in DATABASE_HOST, _PORT, _NAME, _USERNAME and _PASSWORD."
  type = object({
    host        = string
    port        = number
    name        = string
    secret_arn  = string
    kms_key_arn = string
  })
  default = null
}

variable "secret_values" {
  description = "Values of the secrets that services have kept here (kept: a version for each), written service/VARIABLE. They are in no state."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = length(setsubtract(flatten([for name, service in var.services : [for variable in keys(service.kept) : "${name}/${variable}"]]), keys(var.secret_values))) == 0
    error_message = "A secret that is kept here has a value, written service/VARIABLE."
  }
}

variable "domain" {
  description = "The name under which everybody reaches the platform."
  type        = string
}

variable "dns_zone" {
  description = "The Route 53 zone that the name is in; its record and certificate are made there. None when null."
  type        = string
  default     = null

  validation {
    condition     = var.dns_zone == null || var.domain == var.dns_zone || endswith(var.domain, ".${coalesce(var.dns_zone, "-")}")
    error_message = "The domain is not in this zone."
  }
}

variable "certificate_arn" {
  description = "The certificate of the load balancer; one is made in the zone when null."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn != null || var.dns_zone != null
    error_message = "Either dns_zone, in which a certificate is made, or the ARN of one that is there: nothing is served without TLS."
  }
}

variable "strategy" {
  description = "How a new version takes over: BLUE_GREEN (all at once), CANARY or LINEAR (in steps), or ROLLING (task by task, seen by everybody at once)."
  type        = string
  default     = "BLUE_GREEN"

  validation {
    condition     = contains(["BLUE_GREEN", "CANARY", "LINEAR", "ROLLING"], var.strategy)
    error_message = "One of: BLUE_GREEN, CANARY, LINEAR, ROLLING."
  }
}

variable "step_percent" {
  description = "How much of the traffic a step of CANARY (once) or LINEAR (again and again) moves."
  type        = number
  default     = 10

  validation {
    condition     = var.step_percent >= 3 && var.step_percent <= 100
    error_message = "3 to 100 percent."
  }
}

variable "bake_minutes" {
  description = "How long a new version is watched before the old one goes; also between steps."
  type        = number
  default     = 10

  validation {
    condition     = var.bake_minutes >= 0 && var.bake_minutes <= 1440
    error_message = "0 to 1440 minutes."
  }
}

variable "test_port" {
  description = "The port under which the new version is tested before anybody else sees it."
  type        = number
  default     = 8443

  validation {
    condition     = var.test_port >= 1 && var.test_port <= 65535 && !contains([80, 443], var.test_port)
    error_message = "A port other than those of production, 80 and 443."
  }
}

variable "test_path" {
  description = "A path under which the new version is tested, instead of a port. The service does not see it: it is taken off."
  type        = string
  default     = null

  validation {
    condition     = var.test_path == null || can(regex("^/[A-Za-z0-9_-]+$", var.test_path))
    error_message = "One step of a path, such as /next."
  }
}

variable "test_networks" {
  description = "Who reaches the version under test; only the VPC when empty."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for network in var.test_networks : can(cidrhost(network, 0))])
    error_message = "Networks such as 198.51.100.0/24."
  }
}

variable "networks" {
  description = "Who reaches production: everybody, unless said otherwise."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = length(var.networks) > 0 && alltrue([for network in var.networks : can(cidrhost(network, 0))])
    error_message = "Networks such as 198.51.100.0/24, one at least."
  }
}

variable "internal" {
  description = "Whether the load balancer is reached from within the VPC only."
  type        = bool
  default     = false
}

variable "web_acl_arn" {
  description = "A web ACL of AWS WAF in front of the load balancer; none when null."
  type        = string
  default     = null
}

variable "architecture" {
  description = "What the images are built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "One of: X86_64, ARM64."
  }
}

variable "spot" {
  description = "Whether most tasks run on Fargate Spot, which AWS may take away."
  type        = bool
  default     = false
}

variable "shell" {
  description = "Whether people with the right to may open a shell in a task (ECS Exec); it is logged."
  type        = bool
  default     = false
}

variable "keep_images" {
  description = "How many images of each service the registry keeps."
  type        = number
  default     = 50

  validation {
    condition     = var.keep_images >= 2
    error_message = "2 at least: the one before is what a roll-back needs."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "kms_key_arn" {
  description = "Your own key for logs, images and alarms; one is made when null."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool
  default     = true
}

variable "alarm_emails" {
  description = "Who hears of alarms."
  type        = list(string)
  default     = []
}
