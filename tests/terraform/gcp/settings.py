# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of Google's layers plan: for each layer the least that it takes, and everything that it can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROLES = Path(__file__).resolve().parents[3] / "roles"
NETWORK = "projects/shop-prod/global/networks/shop"
SUBNET = "projects/shop-prod/regions/europe-west1/subnetworks/shop-europe-west1"
KEY = "projects/shop-prod/locations/europe-west1/keyRings/platform/cryptoKeys/platform"
BASE = {"project": "shop-prod", "region": "europe-west1"}
ACCOUNT = "serviceAccount:deployer@shop-prod.iam.gserviceaccount.com"

PLAIN: dict[str, dict[str, Any]] = {
    "gcp_project": BASE,
    "gcp_network": {**BASE, "name": "shop", "nodes": "10.128.0.0/20"},
    "gke": {**BASE, "name": "shop", "network": NETWORK, "subnet": SUBNET},
    "gcp_database": {**BASE, "name": "shop", "network": NETWORK},
    "gcp_load_balancer": {
        **BASE, "name": "shop", "domains": ["shop.example.org"], "backends": {"shop": {"cloud_run": "shop"}},
    },
    "gcp_pubsub": {**BASE, "project_number": "1234", "topics": {"available": {"subscriptions": {"exchange": {}}}}},
    "cloud_run": {**BASE, "services": {"shop": {"image": "registry.example.org/shop:1"}}},
    "gcp_delivery": {**BASE, "name": "shop", "registries": {"shop": {}}},
}  # fmt: skip

FULL: dict[str, dict[str, Any]] = {
    "gcp_project": {
        **BASE,
        "create": True, "billing_account": "012345-6789AB-CDEF01", "parent": "folders/123", "monthly_budget": 500,
        "customer_key": True, "constraints": ["iam.disableServiceAccountKeyCreation"],
        "audit_exempted": [ACCOUNT],
        "service_accounts": {"deployer": {"purpose": "Delivers", "roles": ["roles/run.developer"]}},
        "federation": {
            "github": {
                "kind": "github", "repositories": ["example/shop"], "refs": ["refs/heads/main"],
                "service_account": "deployer",
            },
            "rack": {
                "kind": "kubernetes", "issuer": "https://kubernetes.default.svc", "keys": '{"keys": []}',
                "repositories": ["argocd/argocd-application-controller"], "service_account": "deployer",
            },
        },
    },
    "gcp_network": {
        **BASE, "name": "shop", "nodes": "10.128.0.0/20", "pods": "10.132.0.0/14", "services": "10.136.0.0/20",
        "private_services": "10.138.0.0/20", "proxies": "10.139.0.0/23", "reserved": {"control_plane": "10.137.0.0/28"},
        "nat_addresses": 2, "tunnel_ssh": True, "peers": {"other": "projects/other-prod/global/networks/other"},
    },
    "gke": {
        **BASE, "name": "shop", "network": NETWORK, "subnet": SUBNET, "mode": "standard", "kms_key": KEY,
        "control_plane": "10.137.0.0/28", "authorized_networks": {"office": "198.51.100.0/24"}, "dns_endpoint": True,
        "pools": {"default": {}, "spot": {"spot": True, "min": 0, "max": 9, "taints": ["kind=spot:NO_SCHEDULE"]}},
        "binary_authorization": True, "attestors": ["projects/shop-prod/attestors/built"],
        "security_group": "gke-security-groups@example.org", "deployers": {ACCOUNT: "edit"},
    },
    "gcp_database": {
        **BASE, "name": "shop", "network": NETWORK, "private_services_range": "shop-private-services", "kms_key": KEY,
        "databases": ["shop"], "users": {"shop": 1}, "iam_users": {"deployer@shop-prod.iam.gserviceaccount.com": {}},
        "flags": {"max_connections": "200"}, "disk_limit": 500, "client_certificates": True,
    },
    "gcp_load_balancer": {
        **BASE, "name": "shop", "domains": ["shop.example.org", "api.example.org"], "dns_zone": "example",
        "armor": True, "static_bucket": "shop-prod-static", "network": NETWORK, "subnet": SUBNET, "kms_key": KEY,
        "backends": {
            "shop": {"cloud_run": "shop", "domains": ["shop.example.org"]},
            "greeter": {"zones": ["europe-west1-b", "europe-west1-c"], "grpc": True, "domains": ["api.example.org"]},
            "search": {"zones": ["europe-west1-b"], "path": "/search", "domains": ["shop.example.org"]},
        },
    },
    "gcp_pubsub": {
        **BASE, "project_number": "1234", "kms_key": KEY,
        "topics": {
            "available": {
                "schema": {"definition": '{"type": "record", "name": "Available", "fields": []}'},
                "publishers": [ACCOUNT],
                "subscriptions": {
                    "exchange": {"subscribers": [ACCOUNT], "ordering": True, "exactly_once": True},
                    "push": {"push_endpoint": "https://shop.example.org/push", "push_service_account": "a@b.example"},
                },
            },
            "noise": {"dead_letter": False, "subscriptions": {"listener": {"filter": 'attributes.kind = "a"'}}},
        },
    },
    "cloud_run": {
        **BASE, "network": NETWORK, "subnet": SUBNET, "egress": "all", "kms_key": KEY, "binary_authorization": True,
        "deployers": [ACCOUNT],
        "services": {
            "shop": {
                "image": "registry.example.org/shop:1", "health": "/healthz", "secrets": {"TOKEN": "shop-token:3"},
                "variables": {"A": "b"}, "databases": ["shop-prod:europe-west1:shop"], "roles": ["roles/pubsub.viewer"],
                "public": True, "ingress": "load_balancer", "revision": "shop-a",
                "traffic": [{"percent": 100}, {"revision": "shop-a", "tag": "candidate"}],
            },
            "greeter": {
                "image": "registry.example.org/greeter:1", "protocol": "grpc", "port": 50051, "health": "greeter",
                "callers": [ACCOUNT],
            },
        },
    },
    "gcp_delivery": {
        **BASE, "name": "shop", "kms_key": KEY, "alert_emails": ["ops@example.org"],
        "uptime": {"shop": {"host": "shop.example.org"}}, "buckets": {"shop-prod-files": {"writers": [ACCOUNT]}},
        "watch": ["cloud_run", "gke", "database", "load_balancer", "pubsub"],
        "registries": {"shop": {"writers": [ACCOUNT]}, "packages": {"kind": "npm", "readers": [ACCOUNT]}},
        "secrets": {"token": {"readers": [ACCOUNT]}, "sent": {"version": 1}}, "secret_values": {"sent": "planted"},
        "builds": {
            "shop": {
                "repository": "projects/shop-prod/locations/europe-west1/connections/github/repositories/example-shop",
                "tag": "^v.*$", "approval": True, "roles": ["roles/run.developer"],
            },
        },
    },
}  # fmt: skip

VALUES = {"plain": PLAIN, "full": FULL}
CASES = [(layer, kind) for layer in PLAIN for kind in VALUES]
UNPROTECTED = ("gcp_network", "gcp_pubsub")


def folder(layer: str) -> Path:
    """Where the layer's files lie."""
    return ROLES / layer / "files" / layer


def removable(layer: str, values: dict[str, Any]) -> dict[str, Any]:
    """The same without what cannot be destroyed: protection, and the key that a project would have."""
    found = {name: value for name, value in values.items() if name != "customer_key"}
    return found if layer in UNPROTECTED else {**found, "deletion_protection": False}
