# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

output "cluster" {
  description = "The cluster's name."
  value       = var.name
}

output "cluster_id" {
  description = "The cluster's id, with its region."
  value       = scaleway_k8s_cluster.main.id
}

output "endpoint" {
  description = "Where the API server is reached."
  value       = scaleway_k8s_cluster.main.apiserver_url
}

output "join" {
  description = "How the cluster is joined: Scaleway has no short-lived tokens, so this is the administrator's."
  sensitive   = true
  value = {
    kind                  = "kapsule"
    name                  = var.name
    region                = var.region
    endpoint              = scaleway_k8s_cluster.main.apiserver_url
    certificate_authority = scaleway_k8s_cluster.main.kubeconfig[0].cluster_ca_certificate
    token                 = scaleway_k8s_cluster.main.kubeconfig[0].token
  }
}

output "address" {
  description = "The public address of the load balancer."
  value       = scaleway_lb_ip.main.ip_address
}

output "load_balancer_annotations" {
  description = "What the ingress' Service says so that the cluster makes the load balancer that is meant."
  value = {
    "service.beta.kubernetes.io/scw-loadbalancer-type"   = var.load_balancer_type
    "service.beta.kubernetes.io/scw-loadbalancer-zone"   = local.zone
    "service.beta.kubernetes.io/scw-loadbalancer-ip-ids" = reverse(split("/", scaleway_lb_ip.main.id))[0]
  }
}

output "gateway_address" {
  description = "The public address that the platform's own requests come from."
  value       = scaleway_vpc_public_gateway_ip.main.address
}

output "private_network_id" {
  description = "The private network."
  value       = scaleway_vpc_private_network.main.id
}

output "registry" {
  description = "The registry's address; null without one."
  value       = var.registry == null ? null : scaleway_registry_namespace.main[0].endpoint
}

output "database" {
  description = "Where the database is reached in the private network, and the secret with its password; null without one."
  value = var.database == null ? null : {
    host      = scaleway_rdb_instance.main[0].private_network[0].ip
    port      = scaleway_rdb_instance.main[0].private_network[0].port
    names     = var.database.names
    username  = "app"
    secret_id = scaleway_secret.main["database"].id
  }
}

output "secret_ids" {
  description = "Secrets by name."
  value       = { for name, secret in scaleway_secret.main : name => secret.id }
}

output "application_ids" {
  description = "Applications in IAM by what they are for: ci pushes images, secrets reads them, dns answers challenges, storage uses buckets."
  value       = { for name, application in scaleway_iam_application.main : name => application.id }
}

output "buckets" {
  description = "Where the buckets are."
  value       = { for name, bucket in scaleway_object_bucket.main : name => bucket.endpoint }
}
