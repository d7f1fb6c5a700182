# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What every cluster has before its services: namespaces with their rules, and priorities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .policies import OPEN, closed

Object = dict[str, Any]
PRIORITIES = {
    "socle-critical": (1_000_000, "What other services cannot do without: certificates, ingress, secrets, policies."),
    "socle-platform": (100_000, "Services of the platform."),
    "socle-data": (200_000, "Data stores."),
}


def foundation(namespaces: Mapping[str, str]) -> Iterator[Object]:
    for name, (value, why) in PRIORITIES.items():
        yield {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "globalDefault": False,
            "description": why,
        }
    for space in spaces(namespaces):
        yield space
        yield from closed(space["metadata"]["name"])


def spaces(namespaces: Mapping[str, str]) -> Iterator[Object]:
    for name, level in namespaces.items():
        if name == OPEN:
            continue
        labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn", "audit")}
        # What is in it goes with it: nobody removes it in passing.
        keep = {"argocd.argoproj.io/sync-options": "Prune=confirm,Delete=confirm"}
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels, "annotations": keep},
        }
