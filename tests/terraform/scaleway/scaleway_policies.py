# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules over planned resources of Scaleway, which no outside tool has any for: each yields what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from plans import Resources, of, planned

Rule = Callable[[Resources], Iterator[str]]

EVERYBODY = {"0.0.0.0/0", "::/0"}
# Permission sets that reach further than one product.
WIDE = re.compile(r"AllProducts\w+|OrganizationManager|ProjectManager|IAMManager|\w*BillingManager")
AT_LEAST_DAYS = 1


def no_public_address(resources: Resources) -> Iterator[str]:
    """Nodes and databases have private addresses only."""
    for address, values in of(resources, "scaleway_k8s_pool"):
        if values["public_ip_disabled"] is not True:
            yield f"{address} has nodes with public addresses"
    for address, values in of(resources, "scaleway_k8s_cluster"):
        if not values["private_network_id"]:
            yield f"{address} is in no private network"
    for address, values in of(resources, "scaleway_rdb_instance"):
        if not values["private_network"]:
            yield f"{address} is in no private network"
        if isinstance(values["load_balancer"], list) and values["load_balancer"]:
            yield f"{address} has a public endpoint"


def nobody_from_everywhere(resources: Resources) -> Iterator[str]:
    """The control plane answers to those who are named, a gateway lets nobody in."""
    guarded = list(of(resources, "scaleway_k8s_acl"))
    for address, values in guarded:
        for rule in values["acl_rules"]:
            if rule["ip"] in EVERYBODY or rule["scaleway_ranges"]:
                yield f"{address}: everybody reaches the control plane"
    for address, _values in of(resources, "scaleway_k8s_cluster"):
        if not guarded:
            yield f"{address}: everybody reaches the control plane"
    for address, values in of(resources, "scaleway_vpc_public_gateway"):
        if values["bastion_enabled"] is not False:
            yield f"{address} answers to SSH"
        if values["enable_smtp"] is not False:
            yield f"{address} lets mail out"
    for address, values in of(resources, "scaleway_rdb_acl"):
        if any(rule["ip"] in EVERYBODY for rule in values["acl_rules"]):
            yield f"{address}: everybody reaches the database"


def least_privilege(resources: Resources) -> Iterator[str]:
    """Nobody may do everything, and what somebody may do ends with the project."""
    for address, values in of(resources, "scaleway_iam_policy"):
        for rule in values["rule"]:
            for name in rule["permission_set_names"]:
                if WIDE.fullmatch(name):
                    yield f"{address} gives {name}"
            if not rule["project_ids"]:
                yield f"{address} reaches every project"
    for address, values in of(resources, "scaleway_rdb_user"):
        if values["is_admin"] is not False:
            yield f"{address}: an app administers the database"


def no_keys(resources: Resources) -> Iterator[str]:
    """No key that can be copied is made, and no password is in a state."""
    for address, _values in of(resources, "scaleway_iam_api_key", "scaleway_iam_ssh_key", "scaleway_cockpit_token"):
        yield f"{address} is a key that can be copied"
    for address, values in of(resources, "scaleway_rdb_user", "scaleway_rdb_instance"):
        if values["password"]:
            yield f"{address} has its password in the state"
    for address, values in of(resources, "scaleway_secret_version"):
        if values["data"]:
            yield f"{address} has its value in the state"


def encrypted(resources: Resources) -> Iterator[str]:
    """What is kept is encrypted."""
    for address, values in of(resources, "scaleway_rdb_instance"):
        if values["encryption_at_rest"] is not True:
            yield f"{address} is not encrypted"
    kept = {
        address.partition(".")[2]
        for address, _unused in of(resources, f"{BUCKET}_server_side_encryption_configuration")
    }
    for address, _values in of(resources, BUCKET):
        if address.partition(".")[2] not in kept:
            yield f"{address} is not encrypted"


BUCKET = "scaleway_object_bucket"


def protected(resources: Resources) -> Iterator[str]:
    """What can be protected by Scaleway is, and nothing takes along what is not its own."""
    for address, values in of(resources, "scaleway_secret"):
        if values["protected"] is not True:
            yield f"{address} can be deleted"
    for address, values in of(resources, BUCKET):
        if values["force_destroy"] is not False:
            yield f"{address} is deleted with what is in it"
    for address, values in of(resources, "scaleway_k8s_cluster"):
        if values["delete_additional_resources"] is not False:
            yield f"{address} takes volumes and load balancers along"


def backed_up(resources: Resources) -> Iterator[str]:
    """What is lost by a mistake comes back."""
    for address, values in of(resources, "scaleway_rdb_instance"):
        if values["disable_backup"] is not False or (values["backup_schedule_retention"] or 0) < AT_LEAST_DAYS:
            yield f"{address} has no backups"
        if values["backup_same_region"] is not False:
            yield f"{address} has its backups where it is itself"
    for address, values in of(resources, BUCKET):
        if not values["versioning"] or values["versioning"][0]["enabled"] is not True:
            yield f"{address} keeps no versions"


def private(resources: Resources) -> Iterator[str]:
    """Images and files are for those who sign in."""
    for address, values in of(resources, "scaleway_registry_namespace"):
        if values["is_public"] is not False:
            yield f"{address} is public"
    for address, values in of(resources, BUCKET):
        if values["acl"] != "private":
            yield f"{address} is {values['acl']}"


def logged(resources: Resources) -> Iterator[str]:
    """Logs and metrics are kept, for a time that is said; a pool heals and scales by itself."""
    kinds = {values["type"] for _address, values in of(resources, "scaleway_cockpit_source")}
    for address, _values in of(resources, "scaleway_k8s_cluster"):
        if not {"logs", "metrics"} <= kinds:
            yield f"{address}: logs and metrics have no place"
    for address, values in of(resources, "scaleway_k8s_pool"):
        if values["autohealing"] is not True or values["autoscaling"] is not True:
            yield f"{address} stays broken, or as small as it is"
    for address, values in of(resources, "scaleway_k8s_cluster"):
        if not values["auto_upgrade"] or values["auto_upgrade"][0]["enable"] is not True:
            yield f"{address} gets no patches"


def tagged(resources: Resources) -> Iterator[str]:
    """Everything that can carry a tag says whose it is."""
    for address, values in resources.items():
        if "tags" in values:
            tags = values["tags"] or []
            pairs = [f"{key}={value}" for key, value in tags.items()] if isinstance(tags, dict) else tags
            if not any(tag.startswith("platform=") for tag in pairs):
                yield f"{address} does not say whose it is"


RULES: tuple[Rule, ...] = (
    no_public_address,
    nobody_from_everywhere,
    least_privilege,
    no_keys,
    encrypted,
    protected,
    backed_up,
    private,
    logged,
    tagged,
)


def breaches(plan: dict[str, Any]) -> list[str]:
    """All that is wrong with what a plan leads to."""
    resources = planned(plan)
    written = {one["address"]: one.get("expressions", {}) for one in plan["configuration"]["root_module"]["resources"]}
    for address, values in of(resources, "scaleway_rdb_instance"):
        # Where nothing is written the cloud fills in what it likes to tell.
        values["load_balancer"] = [1] if "load_balancer" in written[re.sub(r"\[.*", "", address)] else []
    return [sentence for rule in RULES for sentence in rule(resources)]
