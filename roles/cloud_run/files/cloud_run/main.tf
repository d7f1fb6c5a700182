# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # A service account's name has 6 to 30 characters.
  accounts = {
    for name, _ in var.services : name =>
    length(name) > 26 ? "run-${substr(name, 0, 17)}-${substr(sha256(name), 0, 8)}" : length(name) < 2 ? "run-${name}-service" : "run-${name}"
  }
  ingress = {
    all           = "INGRESS_TRAFFIC_ALL"
    internal      = "INGRESS_TRAFFIC_INTERNAL_ONLY"
    load_balancer = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  }
  # Secrets of each service: by environment variable, the secret's name and its version.
  secrets = {
    for name, service in var.services : name => {
      for variable, secret in service.secrets : variable => { name = split(":", secret)[0], version = try(split(":", secret)[1], "latest") }
    }
  }
  grants = merge([
    for name, service in var.services : {
      for role in concat(tolist(service.roles), length(service.databases) > 0 ? ["roles/cloudsql.client", "roles/cloudsql.instanceUser"] : []) :
      "${name} ${role}" => { service = name, role = role }
    }
  ]...)
  readers = merge([
    for name, secrets in local.secrets : { for secret in distinct([for entry in secrets : entry.name]) : "${name} ${secret}" => { service = name, secret = secret } }
  ]...)
  callers = merge([
    for name, service in var.services : { for member in service.callers : "${name} ${member}" => { service = name, member = member } }
  ]...)
  deployers = merge([
    for name, _ in var.services : { for member in var.deployers : "${name} ${member}" => { service = name, member = member } }
  ]...)
}

resource "google_service_account" "main" {
  for_each = var.services

  account_id   = local.accounts[each.key]
  display_name = "Cloud Run service ${each.key}"
}

resource "google_project_iam_member" "main" {
  for_each = local.grants

  project = var.project
  role    = each.value.role
  member  = "serviceAccount:${google_service_account.main[each.value.service].email}"
}

resource "google_secret_manager_secret_iam_member" "main" {
  for_each = local.readers

  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.main[each.value.service].email}"
}

resource "google_cloud_run_v2_service" "main" {
  for_each = var.services

  name                 = each.key
  location             = var.region
  labels               = local.labels
  ingress              = local.ingress[each.value.ingress]
  invoker_iam_disabled = each.value.public
  deletion_protection  = var.deletion_protection

  template {
    service_account                  = google_service_account.main[each.key].email
    revision                         = each.value.revision
    encryption_key                   = var.kms_key
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    max_instance_request_concurrency = each.value.concurrency
    timeout                          = "${each.value.timeout}s"
    labels                           = local.labels

    scaling {
      min_instance_count = each.value.min
      max_instance_count = each.value.max
    }

    dynamic "vpc_access" {
      for_each = var.network == null ? [] : [true]

      content {
        egress = var.egress == "all" ? "ALL_TRAFFIC" : "PRIVATE_RANGES_ONLY"

        network_interfaces {
          network    = var.network
          subnetwork = var.subnet
        }
      }
    }

    dynamic "volumes" {
      for_each = length(each.value.databases) > 0 ? [true] : []

      content {
        name = "cloudsql"

        cloud_sql_instance {
          instances = each.value.databases
        }
      }
    }

    containers {
      image = each.value.image

      ports {
        name           = each.value.protocol == "grpc" ? "h2c" : "http1"
        container_port = each.value.port
      }

      resources {
        limits            = { cpu = each.value.cpu, memory = each.value.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = each.value.variables

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secrets[each.key]

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = env.value.name
              version = env.value.version
            }
          }
        }
      }

      dynamic "volume_mounts" {
        for_each = length(each.value.databases) > 0 ? [true] : []

        content {
          name       = "cloudsql"
          mount_path = "/cloudsql"
        }
      }

      # That it listens is all that every image can be asked for; a release asks for more before it gives it users.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 24

        tcp_socket {
          port = each.value.port
        }
      }

      dynamic "liveness_probe" {
        for_each = each.value.health == null ? [] : [true]

        content {
          period_seconds    = 10
          timeout_seconds   = 3
          failure_threshold = 3

          dynamic "http_get" {
            for_each = each.value.protocol == "http" ? [true] : []

            content {
              path = each.value.health
              port = each.value.port
            }
          }

          dynamic "grpc" {
            for_each = each.value.protocol == "grpc" ? [true] : []

            content {
              service = each.value.health
              port    = each.value.port
            }
          }
        }
      }
    }
  }

  dynamic "binary_authorization" {
    for_each = var.binary_authorization ? [true] : []

    content {
      use_default = true
    }
  }

  dynamic "traffic" {
    for_each = each.value.traffic

    content {
      type     = traffic.value.revision == null ? "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" : "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
      revision = traffic.value.revision
      percent  = traffic.value.percent
      tag      = traffic.value.tag
    }
  }

  lifecycle {
    # Which version runs, and who gets it, is a release's matter: a run of this layer must never take one back.
    ignore_changes = [client, client_version, template[0].containers[0].image, template[0].revision, traffic]
  }

  depends_on = [google_secret_manager_secret_iam_member.main, google_project_iam_member.main]
}

resource "google_cloud_run_v2_service_iam_member" "caller" {
  for_each = local.callers

  location = var.region
  name     = google_cloud_run_v2_service.main[each.value.service].name
  role     = "roles/run.invoker"
  member   = each.value.member
}

resource "google_cloud_run_v2_service_iam_member" "deployer" {
  for_each = local.deployers

  location = var.region
  name     = google_cloud_run_v2_service.main[each.value.service].name
  role     = "roles/run.developer"
  member   = each.value.member
}

# Whoever releases a service makes it run as the service's own account, and as no other.
resource "google_service_account_iam_member" "deployer" {
  for_each = local.deployers

  service_account_id = google_service_account.main[each.value.service].name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value.member
}
