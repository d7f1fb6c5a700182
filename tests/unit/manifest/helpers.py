# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole manifest as data, changed at some paths, and read back as a file."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.errors import Result
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.load import load
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

REMOVED = object()

BASE = """
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
secrets: {backend: vault, address: https://vault.example.org:8200}
people: {ada: {}, grace: {teams: [ops]}}
teams: {ops: {}}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16}
  nodes:
    compute1: {address: 203.0.113.11, role: compute, cores: 32, memory: 128 GiB}
    compute2: {address: 203.0.113.12, role: compute, cores: 32, memory: 128 GiB}
    storage1: {address: 203.0.113.21, role: storage, cores: 16, memory: 64 GiB}
    storage2: {address: 203.0.113.22, role: storage, cores: 16, memory: 64 GiB}
machines:
  control: {count: 3, on: [compute, compute, storage]}
  worker: {count: 4, on: compute, cores: 4, memory: 16 GiB}
  gluster: {count: 3, on: [storage, storage, compute], data_disk: 500 GiB}
  vpn: {on: compute, public: true, public_addresses: [203.0.113.50]}
  gitlab: {on: storage, cores: 8, memory: 16 GiB}
access: {openvpn: {people: [ada, grace]}}
storage: {glusterfs: {volumes: {k8s: {size: 200 GiB}}}}
kubernetes: {version: "1.36"}
services: {ingress: {}, mongodb: {on: kubernetes}}
delivery:
  gitlab: {}
  environments: {test: {on: kubernetes}, production: {on: canada, gate: manual}}
apps: {main: {needs: [postgres]}}
clouds:
  canada: {kind: gke, project: cater-prod, region: northamerica-northeast1, database: {postgres: "17"}}
"""
BASE = BASE.replace("services: {ingress: {}, mongodb", "services: {ingress: {}, postgres: {on: kubernetes}, mongodb")


def data(text: str = BASE) -> Any:
    return load(text.encode())[0]


def changed(changes: dict[str, Any], text: str = BASE) -> str:
    """The manifest with the values at some dotted paths replaced, added or removed."""
    tree = copy.deepcopy(data(text))
    for dotted, value in changes.items():
        *parents, last = dotted.split("/") if "/" in dotted else dotted.split(".")
        holder = tree
        for part in parents:
            holder = holder.setdefault(part, {})
        if value is REMOVED:
            del holder[last]
        else:
            holder[last] = value
    return yaml.safe_dump(tree, sort_keys=False)


def read(changes: dict[str, Any] | None = None, text: str = BASE) -> Result:
    return validate_file("test.socle.yml", changed(changes or {}, text).encode())


def told(result: Result, path: str) -> str:
    """What is said about a path, errors and warnings."""
    return "\n".join(entry.sentence() for entry in [*result.errors, *result.warnings] if entry.dotted() == path)
