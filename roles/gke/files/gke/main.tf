# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  standard = var.mode == "standard"
  nodes    = "serviceAccount:${google_service_account.nodes.email}"
}

# Nodes have an account of their own: the default one can do nearly everything in the project.
resource "google_service_account" "nodes" {
  account_id   = substr("${var.name}-nodes", 0, 30)
  display_name = "Nodes of the cluster ${var.name}"
}

resource "google_project_iam_member" "nodes" {
  for_each = toset(["roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"])

  project = var.project
  role    = each.value
  member  = local.nodes
}

resource "google_project_iam_member" "deployers" {
  for_each = var.deployers

  project = var.project
  # To find the cluster; what they may do in it is said in the cluster (outputs: manifests).
  role   = "roles/container.clusterViewer"
  member = each.key
}

resource "google_container_cluster" "main" {
  # checkov:skip=CKV_GCP_12:Dataplane V2 (datapath_provider) enforces network policies; the old switch must not be on beside it
  # checkov:skip=CKV_GCP_61:Flow logs are the subnet's matter, in the layer gcp_network; this asks for intranode visibility, which is on where it can be
  # checkov:skip=CKV_GCP_65:Access by groups needs a group of the organisation: the variable security_group
  # checkov:skip=CKV_GCP_66:Binary Authorization needs somebody who signs images: the variable binary_authorization
  # checkov:skip=CKV_GCP_68:Autopilot's nodes boot securely always; pools say it below
  # checkov:skip=CKV_GCP_69:Autopilot's nodes hide the metadata server always; pools say it below
  name                = var.name
  location            = var.region
  description         = "Made by the layer gke"
  network             = var.network
  subnetwork          = var.subnet
  networking_mode     = "VPC_NATIVE"
  resource_labels     = local.labels
  deletion_protection = var.deletion_protection

  enable_autopilot            = local.standard ? null : true
  remove_default_node_pool    = local.standard ? true : null
  initial_node_count          = local.standard ? 1 : null
  datapath_provider           = local.standard ? "ADVANCED_DATAPATH" : null
  enable_shielded_nodes       = local.standard ? true : null
  enable_intranode_visibility = local.standard ? true : null

  ip_allocation_policy {
    cluster_secondary_range_name  = var.pods_range
    services_secondary_range_name = var.services_range
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = var.private_endpoint
    master_ipv4_cidr_block  = var.control_plane

    master_global_access_config {
      enabled = false
    }
  }

  # Without a network in it nobody reaches the control plane from outside.
  master_authorized_networks_config {
    gcp_public_cidrs_access_enabled      = false
    private_endpoint_enforcement_enabled = true

    dynamic "cidr_blocks" {
      for_each = var.authorized_networks

      content {
        cidr_block   = cidr_blocks.value
        display_name = cidr_blocks.key
      }
    }
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = var.dns_endpoint
    }
  }

  release_channel {
    channel = upper(var.channel)
  }

  maintenance_policy {
    recurring_window {
      start_time = var.maintenance.start
      end_time   = var.maintenance.end
      recurrence = var.maintenance.recurrence
    }
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  rbac_binding_config {
    enable_insecure_binding_system_authenticated   = false
    enable_insecure_binding_system_unauthenticated = false
  }

  security_posture_config {
    mode               = "BASIC"
    vulnerability_mode = "VULNERABILITY_BASIC"
  }

  cost_management_config {
    enabled = true
  }

  binary_authorization {
    evaluation_mode = var.binary_authorization ? "PROJECT_SINGLETON_POLICY_ENFORCE" : "DISABLED"
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"]
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER", "STORAGE", "POD", "DEPLOYMENT", "STATEFULSET", "DAEMONSET", "HPA"]

    managed_prometheus {
      enabled = true
    }
  }

  addons_config {
    gke_backup_agent_config {
      enabled = var.backup
    }

    dynamic "gce_persistent_disk_csi_driver_config" {
      for_each = local.standard ? [true] : []

      content {
        enabled = true
      }
    }

    dynamic "dns_cache_config" {
      for_each = local.standard ? [true] : []

      content {
        enabled = true
      }
    }
  }

  dynamic "database_encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]

    content {
      state    = "ENCRYPTED"
      key_name = database_encryption.value
    }
  }

  dynamic "authenticator_groups_config" {
    for_each = var.security_group == null ? [] : [var.security_group]

    content {
      security_group = authenticator_groups_config.value
    }
  }

  # Autopilot makes its nodes by these; of a standard cluster it is the first pool, which is removed at once.
  dynamic "cluster_autoscaling" {
    for_each = local.standard ? [] : [true]

    content {
      auto_provisioning_defaults {
        service_account   = google_service_account.nodes.email
        oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
        boot_disk_kms_key = var.kms_key
      }
    }
  }

  dynamic "node_config" {
    for_each = local.standard ? [true] : []

    content {
      service_account   = google_service_account.nodes.email
      oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
      boot_disk_kms_key = var.kms_key

      shielded_instance_config {
        enable_secure_boot          = true
        enable_integrity_monitoring = true
      }

      workload_metadata_config {
        mode = "GKE_METADATA"
      }
    }
  }

  lifecycle {
    # Of a standard cluster it describes the removed first pool only; a change there must never replace the cluster.
    ignore_changes = [node_config, initial_node_count]
  }

  depends_on = [google_project_iam_member.nodes]
}

resource "google_container_node_pool" "main" {
  for_each = var.pools

  name     = each.key
  cluster  = google_container_cluster.main.name
  location = var.region

  autoscaling {
    total_min_node_count = each.value.min
    total_max_node_count = each.value.max
    location_policy      = each.value.spot ? "ANY" : "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    strategy        = "SURGE"
    max_surge       = 1
    max_unavailable = 0
  }

  network_config {
    enable_private_nodes = true
    pod_range            = var.pods_range
  }

  node_config {
    machine_type      = each.value.machine
    disk_type         = "pd-balanced"
    disk_size_gb      = each.value.disk
    image_type        = "COS_CONTAINERD"
    spot              = each.value.spot
    labels            = each.value.labels
    resource_labels   = local.labels
    service_account   = google_service_account.nodes.email
    oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
    boot_disk_kms_key = var.kms_key
    metadata          = { disable-legacy-endpoints = "true" }

    dynamic "taint" {
      for_each = { for taint in each.value.taints : taint => regex("^([^=:]+)=([^=:]*):(.+)$", taint) }

      content {
        key    = taint.value[0]
        value  = taint.value[1]
        effect = taint.value[2]
      }
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    kubelet_config {
      insecure_kubelet_readonly_port_enabled = "FALSE"
    }
  }

  lifecycle {
    # Google moves pools between versions and sizes by itself.
    ignore_changes = [initial_node_count, version]
  }
}

resource "google_gke_backup_backup_plan" "main" {
  count = var.backup ? 1 : 0

  name     = var.name
  location = var.region
  # By name: an id that is not known yet would make a plan of its own out of every change of the cluster.
  cluster = "projects/${var.project}/locations/${var.region}/clusters/${google_container_cluster.main.name}"
  labels  = local.labels

  backup_config {
    all_namespaces      = true
    include_secrets     = true
    include_volume_data = true

    dynamic "encryption_key" {
      for_each = var.kms_key == null ? [] : [var.kms_key]

      content {
        gcp_kms_encryption_key = encryption_key.value
      }
    }
  }

  backup_schedule {
    cron_schedule = var.backup_schedule
  }

  retention_policy {
    backup_retain_days      = var.backup_days
    backup_delete_lock_days = var.backup_lock_days
  }
}

resource "google_binary_authorization_policy" "main" {
  count = var.binary_authorization ? 1 : 0

  global_policy_evaluation_mode = "ENABLE"

  default_admission_rule {
    evaluation_mode         = "REQUIRE_ATTESTATION"
    enforcement_mode        = "ENFORCED_BLOCK_AND_AUDIT_LOG"
    require_attestations_by = var.attestors
  }
}
