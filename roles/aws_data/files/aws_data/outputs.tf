# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "database" {
  description = "Where the database is, and the secret with its user's name and password; null without one."
  value = var.database == null ? null : {
    host        = aws_db_instance.main["main"].address
    port        = local.port
    name        = var.database.name
    secret_arn  = aws_db_instance.main["main"].master_user_secret[0].secret_arn
    kms_key_arn = local.kms_key
  }
}

output "buckets" {
  description = "Buckets by name, with their ARNs."
  value       = { for name, bucket in aws_s3_bucket.main : name => bucket.arn }
}

output "kms_key_arn" {
  description = "The key that everything here is encrypted with."
  value       = local.kms_key
}
