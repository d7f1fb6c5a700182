# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules over planned resources of AWS: each yields a sentence for what is wrong with a whole plan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from plans import Resources, Values, of, planned

Rule = Callable[[Resources, dict[str, Any]], Iterator[str]]

EVERYBODY = {"0.0.0.0/0", "::/0"}
# What has no resource of its own that it could be limited to.
UNLIMITED = re.compile(r"(ec2|autoscaling|eks|acm|route53|elasticloadbalancing):(Describe|List|Get)\w*")
UNLIMITED_ONES = {"ecr:GetAuthorizationToken"} | {
    f"ssmmessages:{verb}{what}Channel" for verb in ("Create", "Open") for what in ("Control", "Data")
}
MODERN_TLS = re.compile(r"ELBSecurityPolicy-TLS13-1-[23]-")


def first(values: Values, *path: str) -> Any:
    """A value in nested blocks, of each the first; None where there is none."""
    here: Any = values
    for step in path:
        if isinstance(here, list):
            here = here[0] if here else None
        here = here.get(step) if isinstance(here, dict) else None
    return here


def expressions(plan: dict[str, Any], address: str) -> dict[str, Any]:
    """What the configuration says of a resource."""
    plain = re.sub(r"\[.*", "", address)
    found = (one for one in plan["configuration"]["root_module"]["resources"] if one["address"] == plain)
    return dict(next(found, {}).get("expressions", {}))


def references(plan: dict[str, Any], address: str, argument: str) -> list[str]:
    """What an argument is made of."""
    return list(expressions(plan, address).get(argument, {}).get("references", []))


def no_public_address(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """Nodes, tasks and databases have private addresses only."""
    for address, values in of(resources, "aws_subnet"):
        if values["map_public_ip_on_launch"] is not False:
            yield f"{address} gives public addresses away"
    for address, values in of(resources, "aws_launch_template"):
        if first(values, "network_interfaces", "associate_public_ip_address") != "false":
            yield f"{address} gives nodes public addresses"
    for address, values in of(resources, "aws_ecs_service"):
        if first(values, "network_configuration", "assign_public_ip") is not False:
            yield f"{address} gives tasks public addresses"
    for address, values in of(resources, "aws_db_instance"):
        if values["publicly_accessible"] is not False:
            yield f"{address} has a public address"


def nobody_from_everywhere(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """Only load balancers answer to everybody."""
    balancers = {
        reference.removesuffix(".id")
        for address, _values in of(resources, "aws_lb")
        for reference in references(plan, address, "security_groups")
    }
    for address, values in of(resources, "aws_vpc_security_group_ingress_rule"):
        if EVERYBODY & {values["cidr_ipv4"], values["cidr_ipv6"]} and not balancers & set(
            references(plan, address, "security_group_id")
        ):
            yield f"{address} lets everybody in"
    for address, _values in of(resources, "aws_security_group"):
        if "ingress" in expressions(plan, address):
            yield f"{address} has rules of its own that nobody sees"
    for address, values in of(resources, "aws_default_security_group"):
        if values["ingress"] or values["egress"]:
            yield f"{address} lets something through"
    for address, values in of(resources, "aws_eks_cluster"):
        if first(values, "vpc_config", "endpoint_public_access") is not False and (
            not first(values, "vpc_config", "public_access_cidrs")
            or EVERYBODY & set(first(values, "vpc_config", "public_access_cidrs"))
        ):
            yield f"{address}: everybody reaches the control plane"


def documents(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy document."""
    for address, values in resources.items():
        for name in ("policy", "assume_role_policy"):
            text = values.get(name)
            if isinstance(text, str) and text.startswith("{") and "Statement" in text:
                for statement in json.loads(text)["Statement"]:
                    yield address, statement


def least_privilege(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """Nobody may do everything, and what has a resource is limited to it."""
    for address, statement in documents(resources):
        if statement["Effect"] != "Allow":
            continue
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        of_a_key = address.startswith("aws_kms_key.")
        for action in actions:
            owner = of_a_key and statement.get("Principal", {}).get("AWS", "").endswith(":root")
            if action == "*" or (action.endswith(":*") and not owner):
                yield f"{address} allows {action}"
        wide = statement.get("Resource") == "*" and not of_a_key
        for action in actions:
            if wide and not (UNLIMITED.fullmatch(action) or action in UNLIMITED_ONES):
                yield f"{address} allows {action} on everything"
        if statement.get("Principal") in ("*", {"AWS": "*"}):
            yield f"{address} trusts everybody"
    for address, values in of(resources, "aws_iam_role_policy_attachment"):
        if re.search(r"(AdministratorAccess|PowerUser|FullAccess)$", values["policy_arn"]):
            yield f"{address} gives {values['policy_arn']}"


def no_keys(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """Nobody signs in with a key that can be copied."""
    for address, _values in of(resources, "aws_iam_access_key", "aws_iam_user", "aws_key_pair"):
        yield f"{address} is a key that can be copied, or somebody who would need one"
    for address, values in of(resources, "aws_launch_template"):
        if values["key_name"]:
            yield f"{address} has a key for SSH"
        if first(values, "metadata_options", "http_tokens") != "required":
            yield f"{address} tells its role's token to whoever can make it send a request"
    for address, values in of(resources, "aws_eks_node_group"):
        if values["remote_access"]:
            yield f"{address} is reached by SSH"


def encrypted(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """Everything that is kept or sent is encrypted."""
    keyed = {
        "aws_cloudwatch_log_group": "kms_key_id",
        "aws_secretsmanager_secret": "kms_key_id",
        "aws_sns_topic": "kms_master_key_id",
    }
    for kind, argument in keyed.items():
        for address, values in of(resources, kind):
            if not values.get(argument):
                yield f"{address} has no key"
    for address, values in of(resources, "aws_ecr_repository"):
        if first(values, "encryption_configuration", "encryption_type") != "KMS":
            yield f"{address} has no key"
    for address, values in of(resources, "aws_launch_template"):
        if first(values, "block_device_mappings", "ebs", "encrypted") != "true":
            yield f"{address} has disks that are not encrypted"
    for address, values in of(resources, "aws_eks_cluster"):
        if first(values, "encryption_config", "resources") != ["secrets"]:
            yield f"{address} keeps Secrets in the clear"
    for address, values in of(resources, "aws_db_instance"):
        if values["storage_encrypted"] is not True:
            yield f"{address} is not encrypted"
    yield from _buckets(resources, "aws_s3_bucket_server_side_encryption_configuration", "is not encrypted")
    yield from _buckets(resources, "aws_s3_bucket_public_access_block", "may be made public")
    for address, values in of(resources, "aws_lb_listener"):
        leads_on = first(values, "default_action", "type") == "redirect"
        if not (values["protocol"] == "HTTPS" and MODERN_TLS.match(values["ssl_policy"] or "")) and not leads_on:
            yield f"{address} is not served by TLS 1.2 or newer"
    for address, values in of(resources, "aws_kms_key"):
        if values["enable_key_rotation"] is not True:
            yield f"{address} is never renewed"


def _buckets(resources: Resources, beside: str, sentence: str) -> Iterator[str]:
    """Buckets without a resource beside them, which has the same name and key."""
    there = {address.partition(".")[2] for address, _values in of(resources, beside)}
    for address, _values in of(resources, "aws_s3_bucket"):
        if address.partition(".")[2] not in there:
            yield f"{address} {sentence}"


def protected(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """What holds data or users refuses to be deleted by a slip."""
    for kind, argument, wanted in (
        ("aws_lb", "enable_deletion_protection", True),
        ("aws_eks_cluster", "deletion_protection", True),
        ("aws_db_instance", "deletion_protection", True),
        ("aws_ecr_repository", "force_delete", False),
        ("aws_s3_bucket", "force_destroy", False),
    ):
        for address, values in of(resources, kind):
            if values[argument] is not wanted:
                yield f"{address} can be deleted"
    for address, values in of(resources, "aws_kms_key"):
        if (values["deletion_window_in_days"] or 0) < 30:
            yield f"{address} is gone too soon"
    for address, values in of(resources, "aws_secretsmanager_secret"):
        if (values["recovery_window_in_days"] or 0) < 7:
            yield f"{address} is gone at once"


def backed_up(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """What is lost by a mistake comes back."""
    for address, values in of(resources, "aws_db_instance"):
        if (values["backup_retention_period"] or 0) < 1 or values["skip_final_snapshot"] is not False:
            yield f"{address} has no backups"
    yield from _buckets(resources, "aws_s3_bucket_versioning", "keeps no versions")
    for address, values in of(resources, "aws_ecs_task_definition"):
        if values["skip_destroy"] is not True:
            yield f"{address}: the revision before is gone when it is needed"


def logged(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """What happened can be read afterwards, for a time that is said."""
    for address, values in of(resources, "aws_cloudwatch_log_group"):
        if not values["retention_in_days"]:
            yield f"{address} keeps logs for ever"
    for address, _values in of(resources, "aws_vpc"):
        if not any(
            "aws_vpc.main.id" in references(plan, log, "vpc_id") for log, _unused in of(resources, "aws_flow_log")
        ):
            yield f"{address} has no flow log"
    for address, values in of(resources, "aws_lb"):
        if first(values, "access_logs", "enabled") is not True:
            yield f"{address} keeps no log of requests"
    for address, values in of(resources, "aws_eks_cluster"):
        if len(values["enabled_cluster_log_types"] or ()) < 5:
            yield f"{address} does not log all of its control plane"
    for address, values in of(resources, "aws_ecs_cluster"):
        if (first(values, "setting", "name"), first(values, "setting", "value")) != ("containerInsights", "enhanced"):
            yield f"{address} is not watched"
    for address, values in of(resources, "aws_ecs_task_definition"):
        for container in _containers(values):
            if "logConfiguration" not in container:
                yield f"{address}: {container['name']} is not logged"
            if not container["readonlyRootFilesystem"] and container["name"] != "worker":
                yield f"{address}: {container['name']} may be changed from inside"


def _containers(task: Values) -> list[Any]:
    text = task["container_definitions"]
    return list(json.loads(text)) if text.startswith("[") else []


def tagged(resources: Resources, plan: dict[str, Any]) -> Iterator[str]:
    """Everything says whose it is: tags are the provider's defaults."""
    if "default_tags" not in plan["configuration"]["provider_config"]["aws"]["expressions"]:
        yield "the provider has no default tags"


RULES: tuple[Rule, ...] = (
    no_public_address,
    nobody_from_everywhere,
    least_privilege,
    no_keys,
    encrypted,
    protected,
    backed_up,
    logged,
    tagged,
)


def breaches(plan: dict[str, Any]) -> list[str]:
    """All that is wrong with what a plan leads to."""
    resources = planned(plan)
    return [sentence for rule in RULES for sentence in rule(resources, plan)]
