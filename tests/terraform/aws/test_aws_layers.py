# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each layer of AWS by itself: valid, made, unchanged the second time, gone; and what a plan of it may hold."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from aws_policies import RULES, breaches
from aws_settings import CASES, PLAIN, folder, values
from tfprovider import VERSIONS, CliError, Workspace, changes

Make = Callable[[Path], Workspace]


@pytest.mark.parametrize(("layer", "kind"), CASES)
def test_a_layer_is_made_stays_as_it_is_and_goes(workspace: Make, layer: str, kind: str) -> None:
    """Would catch a layer that is invalid, changes something at every run, cannot be destroyed, or breaks a policy."""
    made = workspace(folder(layer))
    made.validate()
    made.variables(values(layer, kind))
    first = made.plan()
    assert breaches(first) == []
    made.apply()
    again = made.plan()
    assert changes(again) == {}
    # Now everything is known, documents of policies too.
    assert breaches(again) == []
    made.destroy()
    assert "values" not in made.state()


@pytest.mark.parametrize("layer", PLAIN)
def test_a_layers_own_tests_hold(workspace: Make, layer: str) -> None:
    """Would catch a wrong value in a plan, and an input that is refused no more."""
    assert re.search(r"Success! [1-9]\d* passed", workspace(folder(layer)).test())


@pytest.mark.parametrize("layer", PLAIN)
def test_the_provider_that_is_asked_for_is_one_that_is_tried(layer: str) -> None:
    """Would catch a version constraint that the schemas of these tests do not meet: nothing else compares them."""
    text = (folder(layer) / "versions.tf").read_text()
    (wanted,) = re.findall(r'version = "~> (\d+)\.(\d+)"', text)
    major, minor, _patch = VERSIONS["hashicorp/aws"].split(".")
    assert (wanted[0], int(wanted[1])) <= (major, int(minor))
    assert wanted[0] == major


OPEN = """  ingress = [{
  self = true, protocol = "-1", from_port = 0, to_port = 0, description = "",
  cidr_blocks = [], ipv6_cidr_blocks = [], prefix_list_ids = [], security_groups = [],
}]"""
# Layer, what is written in its files, what it becomes, and what the policies must say of it then.
SPOILED = [
    ("aws_network", "map_public_ip_on_launch = false", "map_public_ip_on_launch = true", "gives public addresses away"),
    ("aws_network", "  ingress = []", OPEN, "lets something through"),
    ("aws_network", 'Action   = ["logs:CreateLogStream"', 'Action   = ["logs:*"', "allows logs:*"),
    ("aws_network", "enable_key_rotation     = true", "enable_key_rotation     = false", "is never renewed"),
    ("aws_network", "kms_key_id        = local.kms_key\n", "", "has no key"),
    ("aws_network", 'resource "aws_flow_log" "main" {', 'resource "aws_flow_log" "main" {\n  count = 0', "no flow log"),
    ("aws_network", r"default_tags \{[^}]*\}[^}]*\}", "", "no default tags"),
    ("ecs", "assign_public_ip = false", "assign_public_ip = true", "gives tasks public addresses"),
    (
        "ecs",
        "referenced_security_group_id = aws_security_group.balancer.id",
        'cidr_ipv4 = "0.0.0.0/0"',
        "service.*lets everybody in",
    ),
    ("ecs", 'Action   = \\["ecr:BatchCheckLayerAvailability"', 'Action   = ["ecr:*"', "allows ecr:*"),
    ("ecs", "Resource = aws_ecr_repository.main\\[each.key\\].arn", 'Resource = "*"', "BatchGetImage on everything"),
    ("ecs", "AmazonECSInfrastructureRolePolicyForLoadBalancers", "AdministratorAccess", "AdministratorAccess"),
    ("ecs", 'encryption_type = "KMS"', 'encryption_type = "AES256"', "has no key"),
    ("ecs", "ssl_policy        = local.tls", 'ssl_policy = "ELBSecurityPolicy-2016-08"', "TLS 1.2 or newer"),
    ("ecs", "enable_deletion_protection = var.deletion_protection", "", "aws_lb.main can be deleted"),
    ("ecs", "force_destroy = false", "force_destroy = true", "aws_s3_bucket.logs can be deleted"),
    ("ecs", 'resource "aws_s3_bucket_versioning" "logs" {', 'resource "aws_s3_bucket_versioning" "x" {', "no versions"),
    ("ecs", "skip_destroy = true", "skip_destroy = false", "revision before is gone"),
    ("ecs", 'prefix  = "requests"\n    enabled = true', 'prefix  = "requests"\n    enabled = false', "log of requests"),
    ("ecs", 'value = "enhanced"', 'value = "disabled"', "is not watched"),
    ("aws_data", "publicly_accessible    = false", "publicly_accessible = true", "has a public address"),
    ("aws_data", "cidr_ipv4         = var.cidr", 'cidr_ipv4 = "0.0.0.0/0"', "database.*lets everybody in"),
    ("aws_data", "storage_encrypted     = true", "storage_encrypted = false", "is not encrypted"),
    ("aws_data", "deletion_protection       = var.deletion_protection", "", "instance.main.* can be deleted"),
    ("aws_data", "skip_final_snapshot       = false", "skip_final_snapshot = true", "has no backups"),
    ("aws_data", "backup_retention_period   = each.value.backup_days", "backup_retention_period = 0", "has no backups"),
    (
        "aws_data",
        '"aws_s3_bucket_public_access_block" "main" {\n  for_each = var.buckets',
        '"aws_s3_bucket_public_access_block" "main" {\n  for_each = toset([])',
        "may be made public",
    ),
    ("eks", "endpoint_public_access  = length.*", "endpoint_public_access = true", "everybody reaches"),
    ("eks", 'associate_public_ip_address = "false"', 'associate_public_ip_address = "true"', "gives nodes public"),
    ("eks", 'http_tokens   = "required"', 'http_tokens = "optional"', "tells its role's token"),
    ("eks", 'encrypted             = "true"', 'encrypted = "false"', "disks that are not encrypted"),
    ("eks", 'resources = \\["secrets"\\]', "resources = []", "Secrets in the clear"),
    ("eks", "deletion_protection           = var.deletion_protection", "", "cluster.main can be deleted"),
    ("eks", '"audit", "authenticator", ', "", "does not log all"),
    ("eks", "retention_in_days = var.log_retention_days", "", "keeps logs for ever"),
    ("eks", '"autoscaling:SetDesiredCapacity"', '"autoscaling:*"', "allows autoscaling:*"),
    (
        "eks",
        "instance_type = each.value.machine",
        'instance_type = each.value.machine\n  key_name = "k"',
        "key for SSH",
    ),
]


@pytest.mark.parametrize(("layer", "written", "instead", "sentence"), SPOILED, ids=[case[-1] for case in SPOILED])
def test_a_policy_sees_what_it_is_for(workspace: Make, layer: str, written: str, instead: str, sentence: str) -> None:
    """Would catch a policy that passes whatever a layer says."""
    made = workspace(folder(layer))
    found = 0
    for file in made.folder.glob("*.tf"):
        try:
            text, here = re.subn(written, lambda _match: instead, file.read_text())
        except re.error:
            text, here = file.read_text().replace(written, instead), file.read_text().count(written)
        if not here and written in file.read_text():
            text, here = file.read_text().replace(written, instead), 1
        file.write_text(text)
        found += here
    assert found, f"{written} is not in the layer any more"
    given = values(layer, "full")
    given = {**given, "authorized_networks": {}} if "everybody reaches" in sentence else given
    made.variables(given)
    wanted = sentence.replace("*", r"\*").replace(r".\*", ".*")
    told = breaches(made.plan())
    if not re.search(wanted, "\n".join(told)):
        # Some documents are known only after apply.
        made.apply()
        told = breaches(made.plan())
    assert re.search(wanted, "\n".join(told))


def test_every_policy_is_seen_to_fail() -> None:
    """Would catch a rule that is added without a case above that breaks it."""
    assert len(RULES) == 9


WRONG = [
    ("aws_network", {"region": "eu-west-3a"}, "a zone such as eu-west-3a is no"),
    ("aws_network", {"cidr": "10.60.0.1/16"}, "The first address of an IPv4 network"),
    ("aws_network", {"cidr": "10.60.0.0/25"}, "AWS takes networks from /16"),
    ("aws_network", {"cidr": "10.60.0.0/24"}, "too small for so many zones"),
    ("aws_network", {"zones": 4}, "There are fewer zones: this region's are eu-west-3a, eu-west-3b"),
    ("aws_network", {"monthly_budget": 5}, "warns nobody"),
    ("aws_network", {"account": "1234"}, "An account is its 12 digits"),
    ("ecs", {"dns_zone": None}, "nothing is served without TLS"),
    ("ecs", {"dns_zone": "example.com"}, "The domain is not in this zone"),
    ("ecs", {"services": {"web": {"port": 80, "cpu": 256, "memory": 4096}}}, "Fargate has no such size"),
    ("ecs", {"services": {"a": {"priority": 1}, "b": {"priority": 1}}}, "the same place in the order"),
    ("ecs", {"services": {"web": {"secrets": {"A": "hunter2"}}}}, "never values"),
    ("ecs", {"services": {"web": {"kept": {"A": 1}}}}, "written service/VARIABLE"),
    ("ecs", {"test_port": 443}, "other than those of production"),
    ("ecs", {"test_path": "/a/b"}, "One step of a path"),
    ("aws_data", {"database": {"engine": "postgres", "version": "17.2"}}, "version is the major"),
    ("aws_data", {"database": {"engine": "oracle", "version": "19"}}, "engine is postgres or mysql"),
    ("aws_data", {"database": {"engine": "mysql", "version": "8.4", "backup_days": 0}}, "without any is refused"),
    ("eks", {"mode": "pools"}, "needs one at least"),
    ("eks", {"pools": {"a": {}}}, "Auto Mode has none of"),
    ("eks", {"authorized_networks": {"all": "0.0.0.0/0"}}, "The whole world is not authorized"),
    ("eks", {"kubernetes_version": "1.36.2"}, "A minor such as 1.36"),
    ("eks", {"access": {"x": {"principal_arn": "arn:aws:sts::1:assumed-role/x/y", "level": "edit"}}}, "not of a"),
]


@pytest.mark.parametrize(("layer", "wrong", "sentence"), WRONG)
def test_what_is_wrong_is_said_before_anything_is_made(
    workspace: Make, layer: str, wrong: dict[str, object], sentence: str
) -> None:
    """Would catch an input that is found wrong by the cloud, in the middle of an apply."""
    made = workspace(folder(layer))
    made.variables({**PLAIN[layer], **wrong})
    with pytest.raises(CliError) as caught:
        made.plan()
    assert sentence in re.sub(r"\s+", " ", caught.value.output)
