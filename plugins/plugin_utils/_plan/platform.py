# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a platform would be, in words and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .table import some, table

# Each phase of site.yml with the sections that give it work.
PHASES = {
    "secrets": ("secrets",),
    "hypervisors": ("hypervisors",),
    "machines": ("machines",),
    "access": ("access",),
    "storage": ("storage",),
    "kubernetes": ("kubernetes",),
    "platform": ("services",),
    "delivery": ("delivery",),
    "clouds": ("clouds",),
}


@dataclass
class Picture:
    """What `check` shows; plain data."""

    title: str
    hosts: list[Mapping[str, Any]] = field(default_factory=list)
    groups: dict[str, Sequence[str]] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)
    details: dict[str, Sequence[str]] = field(default_factory=dict)
    warnings: int = 0


def of_manifest(platform: Any, inventory: Any, built: Sequence[str]) -> Picture:
    """The picture of a valid manifest; `built` are the phases that this version of the collection has."""
    manifest = platform.manifest
    picture = Picture(f"{manifest.platform.name} ({manifest.platform.domain})")
    for host in platform.hosts:
        picture.hosts.append(
            {
                "name": host.name,
                "kind": host.kind,
                "group": host.group,
                "address": host.address,
                "public": host.public_address,
                "id": host.vm_id,
                "on": host.on,
            }
        )
    picture.groups = _members(inventory.members, inventory.children)
    for phase, sections in PHASES.items():
        if any(_stated(manifest, section) for section in sections):
            picture.phases[phase] = "" if phase in built else "not built in this version"
    picture.details = {
        "services": _names(manifest.services),
        "delivery": _names(manifest.delivery),
        "environments": list(getattr(manifest.delivery, "environments", None) or {}),
        "apps": list(manifest.apps),
        "clouds": [f"{name} ({getattr(cloud, 'kind', '?')})" for name, cloud in manifest.clouds.items()],
        "secrets to make": list(getattr(manifest.secrets, "generate", None) or {}),
    }
    return picture


def of_inventory(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]) -> Picture:
    """The picture of an inventory that is not a manifest: what Ansible knows of it."""
    picture = Picture("an inventory without a manifest")
    for name in groups.get("all", ()):
        variables = hostvars[name]
        picture.hosts.append({"name": name, "address": variables.get("ansible_host", name)})
    picture.groups = {name: members for name, members in groups.items() if name not in ("all", "ungrouped") and members}
    return picture


def _stated(manifest: Any, section: str) -> bool:
    value = getattr(manifest, section)
    return bool(value) if isinstance(value, dict) else value is not None and section in manifest.model_fields_set


def _names(section: Any) -> list[str]:
    return sorted(name for name in section.model_fields_set if getattr(section, name) is not None)


def _members(members: Mapping[str, Sequence[str]], children: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Each group with its own hosts and those of its children."""

    def of(group: str) -> list[str]:
        found = dict.fromkeys(members.get(group, ()))
        for child in children.get(group, ()):
            found |= dict.fromkeys(of(child))
        return list(found)

    return {group: of(group) for group in members}


def text(picture: Picture) -> list[str]:
    """The picture in lines."""
    lines = [f"Platform {picture.title}: {_count(len(picture.hosts), 'host')}, {_count(len(picture.groups), 'group')}"]
    if picture.hosts:
        keys = ("name", "kind", "group", "address", "public", "id", "on")
        header = ("HOST", "KIND", "GROUP", "ADDRESS", "PUBLIC ADDRESS", "VM ID", "ON")
        lines += ["", *table(header, [[host.get(key) for key in keys] for host in picture.hosts])]
    if picture.groups:
        rows = [[name, len(members), some(members)] for name, members in picture.groups.items()]
        lines += ["", *table(("GROUP", "HOSTS", "THESE"), rows)]
    if picture.phases:
        lines += ["", *table(("PHASE", "REMARK"), list(picture.phases.items()))]
    rows = [[what, ", ".join(names)] for what, names in picture.details.items() if names]
    if rows:
        lines += ["", *table(("ALSO", "THESE"), rows)]
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
