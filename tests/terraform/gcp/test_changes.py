# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that people make every week: each is planned against what stands, and replaces nothing."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from settings import FULL, KEY, folder
from tfprovider import Workspace, changes, replacements

Make = Callable[[Path], Workspace]

CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "gcp_project": {
        "labels": {"labels": {"team": "a"}},
        "budget": {"monthly_budget": 900},
        "rotation of the key": {"customer_key_rotation_days": 30},
        "another interface": {"apis": ["compute", "container", "redis"]},
        "who signs in": {"federation/github/repositories": ["example/shop", "example/api"]},
    },
    "gcp_network": {
        "labels": {"labels": {"team": "a"}},
        "flow logs": {"flow_logs": 0.1},
        "another way out": {"nat_addresses": 3},
        "another peer": {"peers": {"third": "projects/third-prod/global/networks/third"}},
    },
    "gke": {
        "labels": {"labels": {"team": "a"}},
        "machine size": {"pools/default/machine": "e2-standard-8"},
        "number of nodes": {"pools/default/max": 20},
        "disks": {"pools/default/disk": 100},
        "channel": {"channel": "stable"},
        "who reaches it": {"authorized_networks": {"office": "198.51.100.0/24", "home": "203.0.113.7/32"}},
        "backups": {"backup_days": 60},
        "maintenance": {"maintenance": {"recurrence": "FREQ=DAILY"}},
        "another pool": {"pools/large": {"machine": "e2-standard-16"}},
        "everybody deploys": {"deployers": {}},
    },
    "gcp_database": {
        "labels": {"labels": {"team": "a"}},
        "machine size": {"tier": "db-custom-4-15360"},
        "database flags": {"flags": {"max_connections": "400", "work_mem": "8192"}},
        "standby": {"ha": False},
        "backups": {"backup_days": 30},
        "another database": {"databases": ["shop", "search"]},
        "another user": {"users": {"shop": 1, "search": 1}},
        "minor settings": {"maintenance": {"day": 1, "hour": 5}, "client_certificates": False},
    },
    "gcp_load_balancer": {
        "labels": {"labels": {"team": "a"}},
        "another name": {"domains": ["shop.example.org", "api.example.org", "new.example.org"]},
        "timeout": {"backends/greeter/timeout": 300},
        "armor": {"armor_rate": 100},
        "another backend": {"backends/admin": {"cloud_run": "admin", "path": "/admin"}},
        "less log": {"log_share": 0.1},
    },
    "gcp_pubsub": {
        "labels": {"labels": {"team": "a"}},
        "retention": {"topics/available/retention": 86400},
        "deadline": {"topics/available/subscriptions/exchange/ack": 120},
        "another subscription": {"topics/available/subscriptions/third": {}},
    },
    "cloud_run": {
        "labels": {"labels": {"team": "a"}},
        "machine size": {"services/shop/cpu": "2", "services/shop/memory": "2Gi"},
        "copies": {"services/shop/max": 50},
        "variables": {"services/shop/variables": {"A": "c", "D": "e"}},
        "who calls": {"services/greeter/public": True},
        "another service": {"services/search": {"image": "registry.example.org/search:1"}},
    },
    "gcp_delivery": {
        "labels": {"labels": {"team": "a"}},
        "retention": {"log_days": 400},
        "what is kept": {"registries/shop/keep": 100},
        "who is told": {"alert_emails": ["ops@example.org", "dev@example.org"]},
        "threshold": {"error_share": 0.1},
        "branch": {"builds/shop/tag": "^release-.*$"},
    },
}


def changed(values: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The values with some of them, by their paths, replaced."""
    found = copy.deepcopy(values)
    for path, value in change.items():
        *parents, last = path.split("/")
        holder = found
        for part in parents:
            holder = holder[part]
        holder[last] = value
    return found


@pytest.mark.parametrize("layer", CHANGES)
def test_what_people_change_replaces_nothing(workspace: Make, layer: str) -> None:
    """Catches a change of size, labels, flags and the like that would make a cluster, a database or a network anew."""
    made = workspace(folder(layer))
    made.variables(FULL[layer])
    made.plan()
    made.apply()
    for name, change in CHANGES[layer].items():
        made.variables(changed(FULL[layer], change))
        plan = made.plan()
        assert replacements(plan) == {}, name
        assert changes(plan), f"{name} changes nothing: the test does not test"


def test_another_key_never_makes_the_cluster_anew(workspace: Make) -> None:
    """Catches a cluster that is replaced for its removed first pool: node pools may be, one after the other."""
    made = workspace(folder("gke"))
    made.variables(FULL["gke"])
    made.plan()
    made.apply()
    made.variables({**FULL["gke"], "kms_key": KEY.replace("cryptoKeys/platform", "cryptoKeys/other")})
    assert {address.split("[")[0] for address in replacements(made.plan())} == {"google_container_node_pool.main"}


def test_a_disk_that_grew_is_left_as_it_is(workspace: Make, attached: Any) -> None:
    """Catches a run that would shrink the disk, which Cloud SQL does by making the instance anew."""
    made = workspace(folder("gcp_database"))
    made.variables(FULL["gcp_database"])
    made.plan()
    made.apply()
    instance = attached["google"].find("google_sql_database_instance")
    grown = [{**instance["settings"][0], "disk_size": 80}]
    attached["google"].change("google_sql_database_instance", instance["id"], settings=grown)
    assert changes(made.plan()) == {}


def test_a_release_is_not_taken_back(workspace: Make, attached: Any) -> None:
    """Catches a run of the layer that gives users the version which was there before the last release."""
    made = workspace(folder("cloud_run"))
    made.variables(FULL["cloud_run"])
    made.plan()
    made.apply()
    service = attached["google"].find("google_cloud_run_v2_service", name="shop")
    template = copy.deepcopy(service["template"])
    template[0]["containers"][0]["image"] = "registry.example.org/shop:2"
    template[0]["revision"] = "shop-b"
    traffic = [{**service["traffic"][0], "revision": "shop-b", "percent": 100}]
    attached["google"].change("google_cloud_run_v2_service", service["id"], template=template, traffic=traffic)
    assert changes(made.plan()) == {}
