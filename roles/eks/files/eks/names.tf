# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  certified = var.dns_zone != null && var.domain != null
}

data "aws_route53_zone" "main" {
  count = var.dns_zone != null && !var.create_dns_zone ? 1 : 0

  name = var.dns_zone
}

resource "aws_route53_zone" "main" {
  # checkov:skip=CKV2_AWS_38: DNSSEC needs a record at the parent's registrar, whom nothing here can ask
  # checkov:skip=CKV2_AWS_39: logs of DNS queries can lie in us-east-1 only; the platform's data stays in its region
  count = var.create_dns_zone ? 1 : 0

  name          = var.dns_zone
  comment       = "Names of the platform ${var.name}"
  force_destroy = false
}

resource "aws_acm_certificate" "main" {
  count = local.certified ? 1 : 0

  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

# A name and its wildcard are proven by one and the same record. A new zone answers only when its parent names it: nothing waits here.
resource "aws_route53_record" "validation" {
  count = local.certified ? 1 : 0

  zone_id         = local.zone_id
  name            = tolist(aws_acm_certificate.main[0].domain_validation_options)[0].resource_record_name
  type            = tolist(aws_acm_certificate.main[0].domain_validation_options)[0].resource_record_type
  records         = [tolist(aws_acm_certificate.main[0].domain_validation_options)[0].resource_record_value]
  ttl             = 60
  allow_overwrite = true
}
