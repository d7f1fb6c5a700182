# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of each layer of AWS: as plain as it goes, and with everything on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROLES = Path(__file__).parents[3] / "roles"
ROLE = "arn:aws:iam::123456789012:role/"
SECRET = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:"
BASE = {"name": "shop", "region": "eu-west-3"}
INSIDE = {"vpc_id": "vpc-0a1b", "private_subnet_ids": ["subnet-0c", "subnet-0d"]}
OWN_KEY = "arn:aws:kms:eu-west-3:123456789012:key/mine"

PLAIN: dict[str, dict[str, Any]] = {
    "aws_network": {**BASE, "cidr": "10.60.0.0/16"},
    "ecs": {
        **BASE,
        **INSIDE,
        "cidr": "10.60.0.0/16",
        "public_subnet_ids": ["subnet-0a", "subnet-0b"],
        "domain": "shop.example.org",
        "dns_zone": "shop.example.org",
        "services": {"web": {"port": 8000, "health": "/health"}},
    },
    "eks": {**BASE, **INSIDE},
    "aws_data": {
        **BASE,
        "vpc_id": "vpc-0a1b",
        "cidr": "10.60.0.0/16",
        "data_subnet_ids": ["subnet-0e", "subnet-0f"],
        "database": {"engine": "postgres", "version": "17"},
    },
}
FULL: dict[str, dict[str, Any]] = {
    "aws_network": {
        **PLAIN["aws_network"],
        "account": "123456789012",
        "labels": {"team": "sales"},
        "nat": "per_zone",
        "endpoints": ["ecr.api"],
        "monthly_budget": 100,
        "budget_emails": ["ops@example.org"],
    },
    "ecs": {
        **PLAIN["ecs"],
        "account": "123456789012",
        "labels": {"team": "sales"},
        "services": {
            "web": {"port": 8000, "health": "/health", "max": 8, "slow_seconds": 1, "kept": {"TOKEN": 1}},
            "api": {
                "image": "registry.example.org/api:1",
                "port": 9000,
                "protocol": "grpc",
                "paths": ["/api.v1.Shop/*"],
                "hosts": ["api.shop.example.org"],
                "secrets": {"KEY": f"{SECRET}api-x1:key::"},
            },
            "worker": {
                "database": True,
                "min": 1,
                "writable": True,
                "policy_arns": ["arn:aws:iam::123456789012:policy/queue"],
            },
        },
        "database": {"host": "db", "port": 5432, "name": "app", "secret_arn": f"{SECRET}db-x2", "kms_key_arn": OWN_KEY},
        "secret_values": {"web/TOKEN": "hush-hush-hush"},
        "test_path": "/next",
        "test_networks": ["198.51.100.0/24"],
        "spot": True,
        "shell": True,
        "alarm_emails": ["ops@example.org"],
        "web_acl_arn": "arn:aws:wafv2:eu-west-3:123456789012:regional/webacl/x/y",
    },
    "eks": {
        **PLAIN["eks"],
        "account": "123456789012",
        "labels": {"team": "sales"},
        "mode": "pools",
        "pools": {"main": {"machine": "m7g.large", "min": 3, "max": 9}, "cheap": {"spot": True, "min": 0}},
        "authorized_networks": {"office": "198.51.100.0/24"},
        "inner_networks": {"vpn": "10.8.0.0/24"},
        "access": {"ci": {"principal_arn": f"{ROLE}ci", "level": "edit", "namespaces": ["shop"]}},
        "domain": "shop.example.org",
        "dns_zone": "shop.example.org",
        "create_dns_zone": True,
    },
    "aws_data": {
        **PLAIN["aws_data"],
        "account": "123456789012",
        "labels": {"team": "sales"},
        "database": {"engine": "mysql", "version": "8.4", "settings": {"long_query_time": "2"}},
        "buckets": ["shop-files"],
        "alarm_emails": ["ops@example.org"],
    },
}
CASES = [(layer, kind) for layer in PLAIN for kind in ("plain", "full")]


def values(layer: str, kind: str) -> dict[str, Any]:
    return (PLAIN if kind == "plain" else FULL)[layer]


def folder(layer: str) -> Path:
    return ROLES / layer / "files" / layer
