# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: each cloud is a host that runs here, with its layers, their roles' variables, and where their state is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .mapping_clouds_aws import aws
from .mapping_clouds_google import google
from .mapping_clouds_scaleway import scaleway
from .platform import Platform, group_name

if TYPE_CHECKING:
    from .mapping import Inventory

_LAYERS = {"gke": google, "cloud_run": google, "ecs": aws, "eks": aws, "kapsule": scaleway}
_OF_STATE = ("bucket", "prefix", "region", "address", "username", "password", "create")


def clouds(platform: Platform, made: Inventory) -> None:
    """A host for each cloud, in `clouds` and `clouds_<kind>`."""
    if not platform.manifest.clouds:
        return
    shared = {"clouds_work_dir": work_dir(platform), "clouds_platform": platform.manifest.platform.name}
    made.group("clouds", variables=shared)
    for name, cloud in platform.manifest.clouds.items():
        group = group_name(f"clouds_{cloud.kind}")
        made.group(group, "clouds")
        made.members[group].append(name)
        layers, variables = _LAYERS[cloud.kind](platform, name)
        common: dict[str, Any] = {"state": state(platform, cloud)}
        if platform.manifest.terraform.binary is not None:
            common["binary"] = platform.manifest.terraform.binary
        made.hosts[name] = {
            "ansible_connection": "local",
            "ansible_host": "localhost",
            "clouds_layers": layers,
            **{f"clouds_{key}": value for key, value in common.items()},
            # A layer's role that runs alone finds the same state.
            **{f"{layer}_{key}": value for layer in layers for key, value in common.items()},
            **variables,
        }


def work_dir(platform: Platform) -> str:
    """Copies of layers and local states of this platform."""
    return f"~/.local/state/socle/terraform/{platform.manifest.platform.name}"


def state(platform: Platform, cloud: Any) -> dict[str, Any]:
    """The option `state` of terraform_stack. A stack has its cloud's name, so the platform's comes before it."""
    told = cloud.state if cloud.state is not None else platform.manifest.terraform.state
    made: dict[str, Any] = {"backend": told.kind, "prefix": platform.manifest.platform.name}
    made.update({key: value for key in _OF_STATE if (value := getattr(told, key)) is not None})
    if told.kind == "local":
        return {"backend": "local", "path": f"{work_dir(platform)}/states"}
    if told.kind == "gcs" and cloud.kind in ("gke", "cloud_run"):
        made = {"region": cloud.region, "project": cloud.project, **made}
    return made
