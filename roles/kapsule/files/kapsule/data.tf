# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

resource "scaleway_object_bucket" "main" {
  for_each = var.buckets

  name          = each.key
  acl           = "private"
  force_destroy = false
  tags          = local.labels

  versioning {
    enabled = true
  }

  lifecycle_rule {
    id                                     = "unfinished"
    enabled                                = true
    abort_incomplete_multipart_upload_days = 7
  }

  lifecycle_rule {
    id      = "old-versions"
    enabled = true

    noncurrent_version_expiration {
      noncurrent_days = 90
    }
  }
}

resource "scaleway_object_bucket_server_side_encryption_configuration" "main" {
  for_each = var.buckets

  bucket = scaleway_object_bucket.main[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.key_id == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.key_id
    }
  }
}

resource "scaleway_registry_namespace" "main" {
  count = var.registry == null ? 0 : 1

  name        = var.registry
  description = "Images of the platform ${var.name}"
  is_public   = false
}

resource "scaleway_rdb_instance" "main" {
  count = var.database == null ? 0 : 1

  name               = var.name
  engine             = var.database.engine
  node_type          = var.database.node_type
  is_ha_cluster      = var.database.ha
  volume_type        = "sbs_5k"
  volume_size_in_gb  = var.database.disk
  encryption_at_rest = true
  settings           = var.database.settings
  tags               = local.tags

  disable_backup            = false
  backup_schedule_frequency = 24
  backup_schedule_retention = var.database.backup_days
  # A copy that the loss of the region does not take along.
  backup_same_region = false

  logs_policy {
    max_age_retention = 30
  }

  # Without a load_balancer block there is no public endpoint.
  private_network {
    pn_id       = scaleway_vpc_private_network.main.id
    enable_ipam = true
  }
}

locals {
  databases = var.database == null ? toset([]) : toset(var.database.names)
}

resource "scaleway_rdb_database" "main" {
  for_each = local.databases

  instance_id = scaleway_rdb_instance.main[0].id
  name        = each.key
}

resource "scaleway_rdb_user" "app" {
  count = var.database == null ? 0 : 1

  instance_id         = scaleway_rdb_instance.main[0].id
  name                = "app"
  is_admin            = false
  password_wo         = var.database_password
  password_wo_version = var.database_password_version
}

resource "scaleway_rdb_privilege" "app" {
  for_each = local.databases

  instance_id   = scaleway_rdb_instance.main[0].id
  user_name     = scaleway_rdb_user.app[0].name
  database_name = scaleway_rdb_database.main[each.key].name
  permission    = "all"
}

resource "scaleway_secret" "main" {
  for_each = setunion(var.secrets, var.database == null ? [] : ["database"])

  name        = "${var.name}-${each.key}"
  path        = "/${var.name}"
  description = "The platform ${var.name}: ${each.key}"
  protected   = var.deletion_protection
  tags        = local.tags
}

resource "scaleway_secret_version" "database" {
  count = var.database == null ? 0 : 1

  secret_id       = scaleway_secret.main["database"].id
  description     = "The user app"
  data_wo_version = var.database_password_version

  data_wo = jsonencode({
    host     = scaleway_rdb_instance.main[0].private_network[0].ip
    port     = scaleway_rdb_instance.main[0].private_network[0].port
    username = scaleway_rdb_user.app[0].name
    password = var.database_password
  })
}

# Who may do what, without keys: whoever runs CI makes the key of its application, and nothing here has it in a state.
locals {
  applications = var.project == null ? {} : merge(
    var.registry == null ? {} : { ci = ["ContainerRegistryFullAccess"] },
    length(scaleway_secret.main) == 0 ? {} : { secrets = ["SecretManagerReadOnly", "SecretManagerSecretAccess"] },
    var.dns_zone == null ? {} : { dns = ["DomainsDNSFullAccess"] },
    length(var.buckets) == 0 ? {} : { storage = ["ObjectStorageObjectsDelete", "ObjectStorageObjectsRead", "ObjectStorageObjectsWrite"] },
  )
}

resource "scaleway_iam_application" "main" {
  for_each = local.applications

  name        = "${var.name}-${each.key}"
  description = "The platform ${var.name}: ${each.key}"
  tags        = local.tags
}

resource "scaleway_iam_policy" "main" {
  for_each = local.applications

  name           = "${var.name}-${each.key}"
  application_id = scaleway_iam_application.main[each.key].id
  tags           = local.tags

  rule {
    project_ids          = [var.project]
    permission_set_names = each.value
  }
}
