# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

# One certificate for each name: another name replaces none.
resource "google_certificate_manager_dns_authorization" "main" {
  for_each = var.dns_zone == null ? [] : var.domains

  name   = local.slugs[each.value]
  domain = each.value
  labels = local.labels
}

resource "google_certificate_manager_certificate" "main" {
  for_each = var.domains

  name   = local.slugs[each.value]
  labels = local.labels

  managed {
    domains = [each.value]
    # By a record where the zone is ours; otherwise once the name leads here.
    dns_authorizations = var.dns_zone == null ? null : [google_certificate_manager_dns_authorization.main[each.value].id]
  }
}

resource "google_certificate_manager_certificate_map" "main" {
  count = length(var.domains) > 0 ? 1 : 0

  name   = var.name
  labels = local.labels
}

resource "google_certificate_manager_certificate_map_entry" "main" {
  for_each = var.domains

  name         = local.slugs[each.value]
  map          = google_certificate_manager_certificate_map.main[0].name
  hostname     = each.value
  certificates = [google_certificate_manager_certificate.main[each.value].id]
  labels       = local.labels
}

resource "google_dns_record_set" "authorization" {
  for_each = google_certificate_manager_dns_authorization.main

  managed_zone = var.dns_zone
  name         = one(each.value.dns_resource_record[*].name)
  type         = one(each.value.dns_resource_record[*].type)
  ttl          = 300
  rrdatas      = [one(each.value.dns_resource_record[*].data)]
}

resource "google_dns_record_set" "main" {
  for_each = var.dns_zone == null ? [] : var.domains

  managed_zone = var.dns_zone
  name         = "${each.value}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.main.address]
}
