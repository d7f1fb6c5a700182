# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: containerd_files
author:
  - The Socle authors (@socle-platform)
short_description: The files that containerd 2 is configured by
version_added: 0.1.0
description:
  - Turns a few choices into containerd's C(config.toml) and one C(hosts.toml) for each registry that has mirrors. The
    role C(socle.platform.containerd) makes it from its variables.
options:
  _input:
    description:
      - A mapping of C(root), C(state), C(sandbox_image), C(systemd_cgroup), C(restrict_oom_score_adj),
        C(discard_unpacked_layers), C(max_concurrent_downloads), C(cni_bin_dirs), C(cni_conf_dir), C(metrics_address)
        and C(extra), a mapping that is merged over the rest.
    type: dict
    required: true
  mirrors:
    description:
      - For each registry, C(_default) for all others, a list of mappings in the order in which they are asked.
      - Their C(url) is needed. C(override_path) says that it holds the path of the interface too, C(ca) is a file,
        C(skip_verify) switches verification off, C(resolve) whether it may say what a tag stands for.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Configure containerd
  ansible.builtin.copy:
    content: "{{ item.content }}"
    dest: "{{ item.path }}"
    mode: "0644"
  loop: "{{ {'sandbox_image': 'registry.k8s.io/pause:3.10.2'} | socle.platform.containerd_files(mirrors) }}"
  vars:
    mirrors:
      _default: [{url: 'http://mirror.example.org:5000'}]
"""

RETURN = r"""
_value:
  description: The files.
  type: list
  elements: dict
  contains:
    path:
      description: Where it lies.
      type: str
    content:
      description: All that is in it.
      type: str
"""

import re
import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils._toml import merged, toml
from ansible_collections.socle.platform.plugins.plugin_utils._toml import value as toml_value

FOLDER = "/etc/containerd"
IMAGES = "io.containerd.cri.v1.images"
RUNTIME = "io.containerd.cri.v1.runtime"
KNOWN = {"url", "override_path", "ca", "skip_verify", "resolve"}


def containerd_files(
    choices: Mapping[str, t.Any], mirrors: Mapping[str, Sequence[Mapping[str, t.Any]]] | None = None
) -> list[dict[str, str]]:
    """The files and what is in them; the main one first."""
    files = [{"path": f"{FOLDER}/config.toml", "content": toml(merged(_config(choices), choices.get("extra") or {}))}]
    for registry, hosts in sorted((mirrors or {}).items()):
        if not hosts:
            raise AnsibleFilterError(f"containerd_files: registry {registry} has no mirror; name one or leave it out")
        content = "\n".join(_host(str(registry), host) for host in hosts)
        files.append({"path": f"{FOLDER}/certs.d/{registry}/hosts.toml", "content": _server(str(registry)) + content})
    return files


def _config(choices: Mapping[str, t.Any]) -> dict[str, t.Any]:
    runc = {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": choices.get("systemd_cgroup", True)}}
    images = {
        "discard_unpacked_layers": choices.get("discard_unpacked_layers", True),
        "max_concurrent_downloads": choices.get("max_concurrent_downloads", 3),
        "pinned_images": {"sandbox": choices["sandbox_image"]} if choices.get("sandbox_image") else {},
        "registry": {"config_path": f"{FOLDER}/certs.d"},
    }
    runtime = {
        "restrict_oom_score_adj": choices.get("restrict_oom_score_adj", False),
        "cni": {
            "bin_dirs": list(choices.get("cni_bin_dirs") or ["/opt/cni/bin"]),
            "conf_dir": choices.get("cni_conf_dir") or "/etc/cni/net.d",
        },
        "containerd": {"default_runtime_name": "runc", "runtimes": {"runc": runc}},
    }
    return {
        # Every containerd 2 reads this version; newer ones carry it over by themselves.
        "version": 3,
        "root": choices.get("root") or "/var/lib/containerd",
        "state": choices.get("state") or "/run/containerd",
        "grpc": {"address": "/run/containerd/containerd.sock"},
        "metrics": {"address": choices["metrics_address"]} if choices.get("metrics_address") else {},
        "plugins": {IMAGES: images, RUNTIME: runtime},
    }


def _server(registry: str) -> str:
    # Asked when no mirror has it; what stands for all registries has no address of its own.
    return "" if registry == "_default" else f"server = {toml_value(f'https://{registry}')}\n\n"


def _host(registry: str, host: Mapping[str, t.Any]) -> str:
    if unknown := set(host) - KNOWN:
        raise AnsibleFilterError(
            f"containerd_files: mirror of {registry} has {', '.join(sorted(unknown))}; "
            f"known are {', '.join(sorted(KNOWN))}"
        )
    url = str(host.get("url") or "")
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise AnsibleFilterError(f"containerd_files: mirror {url!r} of {registry} is no address; write http(s)://HOST")
    told: dict[str, t.Any] = {"capabilities": ["pull", "resolve"] if host.get("resolve", True) else ["pull"]}
    if host.get("override_path"):
        told["override_path"] = True
    if host.get("ca"):
        told["ca"] = str(host["ca"])
    if host.get("skip_verify"):
        told["skip_verify"] = True
    return f"[host.{toml_value(url)}]\n" + "".join(f"{name} = {toml_value(value)}\n" for name, value in told.items())


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"containerd_files": containerd_files}
