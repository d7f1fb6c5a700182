# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  grants = merge([
    for name, account in var.service_accounts : { for role in account.roles : "${name} ${role}" => { account = name, role = role } }
  ]...)
  issuers = { github = "https://token.actions.githubusercontent.com", gitlab = "https://gitlab.com" }
  # What in a token names the repository, or the pod, that it was made for.
  claims = {
    github     = "assertion.repository"
    gitlab     = "assertion.project_path"
    kubernetes = "assertion['kubernetes.io']['namespace'] + '/' + assertion['kubernetes.io']['serviceaccount']['name']"
  }
  # GitLab's ref is main; GitHub's is refs/heads/main, as it is written here.
  refs = {
    for name, entry in var.federation : name => {
      github = "assertion.ref in ${jsonencode(entry.refs)}"
      gitlab = "(assertion.ref_type == 'tag' ? 'refs/tags/' : 'refs/heads/') + assertion.ref in ${jsonencode(entry.refs)}"
    }[entry.kind] if length(entry.refs) > 0
  }
  signers = merge([
    for name, entry in var.federation : { for repository in entry.repositories : "${name} ${repository}" => { entry = name, repository = repository } }
  ]...)
}

resource "google_service_account" "main" {
  for_each = var.service_accounts

  project      = local.project
  account_id   = each.key
  display_name = each.value.purpose

  depends_on = [google_project_service.main]
}

resource "google_project_iam_member" "main" {
  for_each = local.grants

  project = local.project
  role    = each.value.role
  member  = "serviceAccount:${google_service_account.main[each.value.account].email}"
}

resource "google_iam_workload_identity_pool" "main" {
  count = length(var.federation) > 0 ? 1 : 0

  project                   = local.project
  workload_identity_pool_id = var.federation_pool
  display_name              = "Pipelines"
  description               = "Pipelines that sign in with their own tokens instead of key files."

  depends_on = [google_project_service.main]
}

resource "google_iam_workload_identity_pool_provider" "main" {
  # checkov:skip=CKV_GCP_125:It looks for one subject alone; the condition names repositories and refs, and there is none without repositories
  for_each = var.federation

  project                            = local.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.main[0].workload_identity_pool_id
  workload_identity_pool_provider_id = each.key

  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = local.claims[each.value.kind]
    "attribute.provider"   = "'${each.key}'"
    "attribute.signer"     = "'${each.key}/' + ${local.claims[each.value.kind]}"
  }

  # Without it every repository of the server could get a token of this pool.
  attribute_condition = join(" && ", compact([
    "${local.claims[each.value.kind]} in ${jsonencode(each.value.repositories)}",
    lookup(local.refs, each.key, ""),
  ]))

  oidc {
    issuer_uri = coalesce(each.value.issuer, lookup(local.issuers, each.value.kind, null))
    jwks_json  = each.value.keys
  }
}

resource "google_service_account_iam_member" "federation" {
  for_each = local.signers

  service_account_id = google_service_account.main[var.federation[each.value.entry].service_account].name
  role               = "roles/iam.workloadIdentityUser"
  # By provider and repository: a repository of the same name on another server is somebody else's.
  member = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.main[0].name}/attribute.signer/${each.value.entry}/${each.value.repository}"
}
