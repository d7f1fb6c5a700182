# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Where users come in on AWS: an Application Load Balancer's rules, which weigh one target group against another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._objects import AdapterError
from .amazon import Amazon
from .model import Stale

FULL = 100


@dataclass(frozen=True)
class Balancing:
    """Where users come in: the two target groups and the two rules."""

    home: str
    guest: str
    production: str
    test: str
    balancer: str


class Balancer:
    """The rules of one service."""

    def __init__(self, amazon: Amazon, what: str, named: Mapping[str, str]) -> None:
        self.amazon, self.what, self.named = amazon, what, named
        self._balancing: Balancing | None = None
        self.shares: dict[str, int] = {}
        self.tested = False

    @property
    def known(self) -> Balancing:
        if self._balancing is None:
            raise Stale(f"{self.what}: nothing is known of its rules yet")
        return self._balancing

    def read(self, home: Mapping[str, Any]) -> None:
        """`shares` and `tested`, as the rules say them now."""
        balancing = self.of(home)
        arns = [arn for arn in (balancing.production, balancing.test) if arn]
        rules = self.amazon.call("elbv2", "describe_rules", f"rules of {self.what}", RuleArns=arns)["Rules"]
        found = {rule["RuleArn"]: weights(rule) for rule in rules}
        users = found.get(balancing.production, {})
        whole = sum(users.values()) or 1
        self.shares = {group: round(FULL * weight / whole) for group, weight in users.items()}
        test = found.get(balancing.test, {})
        self.tested = bool(test.get(balancing.guest)) and not test.get(balancing.home)

    def of(self, home: Mapping[str, Any]) -> Balancing:
        if self._balancing is None:
            self._balancing = self._find(home)
        return self._balancing

    def _find(self, home: Mapping[str, Any]) -> Balancing:
        attached = home.get("loadBalancers") or []
        if not attached:
            raise AdapterError(
                f"{self.what}: it is behind no load balancer, so users cannot be moved",
                "give it a port, or release it by ECS",
            )
        group = attached[0]["targetGroupArn"]
        groups = self.amazon.call("elbv2", "describe_target_groups", self.what, TargetGroupArns=[group])["TargetGroups"]
        balancers = groups[0].get("LoadBalancerArns") or []
        if not balancers:
            raise AdapterError(f"{self.what}: no rule leads to its target group {group}", "add a rule for it")
        rules = self._rules(balancers[0])
        ours = [rule for rule in rules if group in weights(rule) and len(weights(rule)) == 2]
        production = self.named.get("production_rule") or _one(ours, "-production", last=True)
        test = self.named.get("test_rule") or _one([r for r in ours if r["RuleArn"] != production], "-test")
        pair = next((weights(rule) for rule in rules if rule["RuleArn"] == production), {})
        guest = self.named.get("green") or next((arn for arn in pair if arn != group), "")
        if not production or not test or not guest:
            raise AdapterError(
                f"{self.what}: two rules that weigh its target group {group} against another one are needed, one for "
                f"users and one for tests; there are {len(ours)}",
                "name production_rule, test_rule and green, or make them by the role ecs",
            )
        return Balancing(group, guest, production, test, balancers[0])

    def _rules(self, balancer: str) -> list[dict[str, Any]]:
        listeners = self.amazon.call("elbv2", "describe_listeners", self.what, LoadBalancerArn=balancer)["Listeners"]
        found: list[dict[str, Any]] = []
        for listener in listeners:
            rules = self.amazon.call("elbv2", "describe_rules", self.what, ListenerArn=listener["ListenerArn"])["Rules"]
            found += [{**rule, "listener": listener} for rule in rules]
        tags = self._tags([rule["RuleArn"] for rule in found if not rule.get("IsDefault")])
        return [{**rule, "name": tags.get(rule["RuleArn"], "")} for rule in found]

    def _tags(self, arns: list[str]) -> dict[str, str]:
        names: dict[str, str] = {}
        for first in range(0, len(arns), 20):
            said = self.amazon.call("elbv2", "describe_tags", self.what, ResourceArns=arns[first : first + 20])
            for one in said["TagDescriptions"]:
                names[one["ResourceArn"]] = next((tag["Value"] for tag in one["Tags"] if tag["Key"] == "Name"), "")
        return names

    def test_url(self) -> str:
        """Where the test rule leads; empty when it cannot be told."""
        balancing = self.known
        rules = self._rules(balancing.balancer)
        rule = next((one for one in rules if one["RuleArn"] == balancing.test), None)
        if rule is None:
            return ""
        said = self.amazon.call("elbv2", "describe_load_balancers", self.what, LoadBalancerArns=[balancing.balancer])[
            "LoadBalancers"
        ][0]
        listener = rule["listener"]
        paths = [
            path
            for condition in rule.get("Conditions", [])
            for path in condition.get("PathPatternConfig", {}).get("Values", condition.get("Values", []))
            if condition.get("Field") == "path-pattern"
        ]
        prefix = paths[0].rstrip("*").rstrip("/") if paths else ""
        return f"{listener['Protocol'].lower()}://{said['DNSName']}:{listener['Port']}{prefix}"

    def weigh(self, rule: str, *, home: int, guest: int) -> None:
        groups = [
            {"TargetGroupArn": self.known.home, "Weight": home},
            {"TargetGroupArn": self.known.guest, "Weight": guest},
        ]
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        self.amazon.call("elbv2", "modify_rule", f"rule {rule} of {self.what}", RuleArn=rule, Actions=[forward])


def weights(rule: Mapping[str, Any]) -> dict[str, int]:
    for action in rule.get("Actions", []):
        groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
        if action.get("Type") == "forward" and groups:
            return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {}


def _one(rules: Sequence[Mapping[str, Any]], ending: str, last: bool = False) -> str:
    """The rule whose name says what it is for; without names, tests are looked at before users are."""
    named = [rule for rule in rules if str(rule.get("name")).endswith(ending)]
    ordered = sorted(rules, key=lambda rule: int(rule["Priority"]) if str(rule["Priority"]).isdigit() else 10**6)
    chosen = named or (ordered[-1:] if last else ordered[:1])
    return str(chosen[0]["RuleArn"]) if chosen else ""


def metric_name(arn: str, prefix: str) -> str:
    return re.sub(r"^.*?:(?=[^:]*$)", "", arn).removeprefix(prefix)
