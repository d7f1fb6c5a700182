# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  # Without a backend here (GKE's Gateway makes its own) the address, the certificates and the rules of Cloud Armor are what it takes.
  serves = length(var.backends) > 0 || (var.static_bucket != null && length(var.domains) > 0)
  routes = flatten([
    for name, backend in var.backends : [
      for domain in length(backend.domains) > 0 ? backend.domains : var.domains : { backend = name, domain = domain, path = trimsuffix(backend.path, "/") }
    ]
  ])
  # Names of things in Google Cloud: with a hash, because a.b.org and a-b.org are two.
  slugs  = { for domain in var.domains : domain => "${var.name}-${trimsuffix(substr(replace(domain, ".", "-"), 0, 22), "-")}-${substr(sha256(domain), 0, 8)}" }
  claims = [for route in local.routes : "${route.domain}${route.path}/"]
  groups = merge([
    for name, backend in var.backends : { for zone in backend.zones : "${name} ${zone}" => { backend = name, zone = zone } }
  ]...)
  services = merge(
    { for name, service in google_compute_backend_service.main : name => service.id },
    { for bucket in google_compute_backend_bucket.main : "static" => bucket.id },
  )
}

resource "google_compute_global_address" "main" {
  name   = var.name
  labels = local.labels
}

resource "google_compute_region_network_endpoint_group" "main" {
  for_each = { for name, backend in var.backends : name => backend if backend.cloud_run != null }

  name                  = "${var.name}-${each.key}"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = each.value.cloud_run
  }
}

# GKE puts the pods of the Service that names it into a group that is there and has no description.
resource "google_compute_network_endpoint_group" "main" {
  for_each = local.groups

  name                  = "${var.name}-${each.value.backend}"
  zone                  = each.value.zone
  network               = var.network
  subnetwork            = var.subnet
  network_endpoint_type = "GCE_VM_IP_PORT"
}

resource "google_compute_health_check" "main" {
  for_each = { for name, backend in var.backends : name => backend if length(backend.zones) > 0 }

  name               = "${var.name}-${each.key}"
  check_interval_sec = 5
  timeout_sec        = 3

  dynamic "grpc_health_check" {
    for_each = each.value.grpc ? [true] : []

    content {
      port_specification = "USE_SERVING_PORT"
      grpc_service_name  = each.value.health
    }
  }

  dynamic "http_health_check" {
    for_each = each.value.grpc ? [] : [true]

    content {
      port_specification = "USE_SERVING_PORT"
      request_path       = coalesce(each.value.health, "/")
    }
  }

  log_config {
    enable = true
  }
}

resource "google_compute_backend_service" "main" {
  for_each = var.backends

  name                            = "${var.name}-${each.key}"
  load_balancing_scheme           = "EXTERNAL_MANAGED"
  protocol                        = each.value.cloud_run != null ? null : each.value.grpc ? "H2C" : "HTTP"
  timeout_sec                     = each.value.cloud_run != null ? null : each.value.timeout
  connection_draining_timeout_sec = 60
  health_checks                   = each.value.cloud_run != null ? null : [google_compute_health_check.main[each.key].id]
  security_policy                 = one(google_compute_security_policy.main[*].id)

  dynamic "backend" {
    for_each = each.value.cloud_run != null ? [google_compute_region_network_endpoint_group.main[each.key].id] : []

    content {
      group = backend.value
    }
  }

  dynamic "backend" {
    for_each = each.value.zones

    content {
      group                 = google_compute_network_endpoint_group.main["${each.key} ${backend.value}"].id
      balancing_mode        = "RATE"
      max_rate_per_endpoint = 100
    }
  }

  dynamic "outlier_detection" {
    for_each = each.value.cloud_run != null ? [true] : []

    content {
      consecutive_errors     = 5
      max_ejection_percent   = 50
      enforcing_success_rate = 0

      base_ejection_time {
        seconds = 30
      }
    }
  }

  log_config {
    enable      = true
    sample_rate = var.log_share
  }
}

resource "google_compute_url_map" "main" {
  count = local.serves ? 1 : 0

  name = var.name

  # A name that nobody knows is led to one that is known.
  default_url_redirect {
    host_redirect          = sort(var.domains)[0]
    redirect_response_code = "FOUND"
    strip_query            = false
  }

  dynamic "host_rule" {
    for_each = var.domains

    content {
      hosts        = [host_rule.value]
      path_matcher = local.slugs[host_rule.value]
    }
  }

  dynamic "path_matcher" {
    for_each = var.domains

    content {
      name = local.slugs[path_matcher.value]
      default_service = try(
        [for route in local.routes : local.services[route.backend] if route.domain == path_matcher.value && route.path == ""][0],
        local.services["static"],
        [for route in local.routes : local.services[route.backend] if route.domain == path_matcher.value][0],
        values(local.services)[0],
      )

      dynamic "path_rule" {
        for_each = { for route in local.routes : route.path => route if route.domain == path_matcher.value && route.path != "" }

        content {
          paths   = [path_rule.key, "${path_rule.key}/*"]
          service = local.services[path_rule.value.backend]
        }
      }

      dynamic "path_rule" {
        for_each = var.static_bucket == null || var.static_path == "/" ? [] : [trimsuffix(var.static_path, "/")]

        content {
          paths   = ["${path_rule.value}/*"]
          service = local.services["static"]
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(distinct(local.claims)) == length(local.claims)
      error_message = "Two backends answer to the same name and path: ${join(", ", distinct([for claim in local.claims : claim if length([for other in local.claims : other if other == claim]) > 1]))}. Give one of them another path or other domains."
    }
  }
}

resource "google_compute_url_map" "redirect" {
  count = local.serves ? 1 : 0

  name = "${var.name}-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_ssl_policy" "main" {
  name            = var.name
  profile         = "RESTRICTED"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_target_https_proxy" "main" {
  count = local.serves ? 1 : 0

  name            = var.name
  url_map         = google_compute_url_map.main[0].id
  certificate_map = "//certificatemanager.googleapis.com/${google_certificate_manager_certificate_map.main[0].id}"
  ssl_policy      = google_compute_ssl_policy.main.id
  quic_override   = "ENABLE"
}

resource "google_compute_target_http_proxy" "main" {
  count = local.serves ? 1 : 0

  name    = var.name
  url_map = google_compute_url_map.redirect[0].id
}

resource "google_compute_global_forwarding_rule" "https" {
  count = local.serves ? 1 : 0

  name                  = var.name
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.main.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.main[0].id
  labels                = local.labels
}

resource "google_compute_global_forwarding_rule" "http" {
  count = local.serves ? 1 : 0

  name                  = "${var.name}-redirect"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.main.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.main[0].id
  labels                = local.labels
}
