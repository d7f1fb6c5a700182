# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "name" {
  description = "Name of the cluster."
  value       = google_container_cluster.main.name
}

output "cluster" {
  description = "The cluster, as projects/PROJECT/locations/REGION/clusters/NAME."
  value       = "projects/${var.project}/locations/${var.region}/clusters/${google_container_cluster.main.name}"
}

output "location" {
  description = "Region of the cluster."
  value       = google_container_cluster.main.location
}

output "endpoint" {
  description = "Where the control plane answers, as https://ADDRESS."
  value       = "https://${google_container_cluster.main.endpoint}"
}

output "certificate_authority" {
  description = "Certificate of the control plane's authority, in base64."
  value       = one(google_container_cluster.main.master_auth[*].cluster_ca_certificate)
}

output "workload_pool" {
  description = "Namespace in which service accounts of the cluster are known to IAM."
  value       = "${var.project}.svc.id.goog"
}

output "node_service_account" {
  description = "Account of the nodes."
  value       = "${google_service_account.nodes.account_id}@${var.project}.iam.gserviceaccount.com"
}

output "storage_class" {
  description = "Name of the StorageClass of the platform's volumes."
  value       = "${var.volumes}-balanced"
}

output "manifests" {
  description = "What the cluster needs inside, as the Kubernetes API takes it: the StorageClass, and the rights of deployers. Who has the cluster first applies it."
  value = concat([{
    apiVersion = "storage.k8s.io/v1"
    kind       = "StorageClass"
    metadata = {
      name        = "${var.volumes}-balanced"
      annotations = { "storageclass.kubernetes.io/is-default-class" = "true" }
    }
    provisioner          = "pd.csi.storage.gke.io"
    volumeBindingMode    = "WaitForFirstConsumer"
    allowVolumeExpansion = true
    reclaimPolicy        = "Delete"
    parameters = merge(
      { type = "pd-balanced" },
      var.volumes == "regional" ? { "replication-type" = "regional-pd" } : {},
      var.kms_key == null ? {} : { "disk-encryption-kms-key" = var.kms_key },
    )
    }], [
    for member, role in var.deployers : {
      apiVersion = "rbac.authorization.k8s.io/v1"
      kind       = "ClusterRoleBinding"
      metadata   = { name = "deployer-${substr(sha256(member), 0, 8)}" }
      roleRef    = { apiGroup = "rbac.authorization.k8s.io", kind = "ClusterRole", name = role }
      subjects = [{
        apiGroup = "rbac.authorization.k8s.io"
        kind     = startswith(member, "group:") ? "Group" : "User"
        name     = split(":", member)[1]
      }]
    }
  ])
}
