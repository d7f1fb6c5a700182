# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of machines is theirs, live, and without secrets."""

from __future__ import annotations

from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._proxmox import identity
from ansible_collections.socle.platform.plugins.module_utils._proxmox.client import Proxmox
from ansible_collections.socle.platform.plugins.module_utils._proxmox.live import Live
from ansible_collections.socle.platform.plugins.module_utils._proxmox.machine_info import machines_info
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_of
from ansible_collections.socle.platform.plugins.module_utils._values import bare

from .lab import PLATFORM, Cluster, machine


def info(cluster: Cluster, *names: str, agent: bool = False) -> dict[str, dict[str, Any]]:
    parameters = {key: bare(value) for key, value in cluster.parameters([]).items()}
    live = Live(Proxmox(connection_of(parameters)), PLATFORM, ())
    try:
        return machines_info(live, names, agent=agent)
    finally:
        live.close()


def test_the_platforms_machines_are_told_as_they_are_and_nobody_elses(cluster: Cluster) -> None:
    """A guest that only copied the tag is not told; a setting that waits is."""
    cluster.run([machine("web1"), machine("web2", started=False)])
    cluster.run([machine("web1", memory="4 GiB"), machine("web2", started=False)])
    cluster.foreign(500, "db", tags=identity.platform_tag(PLATFORM))
    found = info(cluster)
    assert sorted(found) == ["web1", "web2"]
    web = found["web1"]
    assert (web["status"], web["cores"], web["memory"], web["needs_reboot"]) == ("running", 2, "4 GiB", ["memory"])
    assert web["addresses"] == ["10.0.0.2"] and web["disks"]["scsi0"]["size"] == "10 GiB" and web["complete"]
    assert found["web2"]["status"] == "stopped" and "password" not in str(web)
    assert sorted(info(cluster, "web2")) == ["web2"]


def test_the_agent_is_asked_when_wanted_and_its_silence_is_no_error(cluster: Cluster) -> None:
    cluster.control("POST", "settings", agent_patience=0)
    cluster.run([machine("web1", agent=True), machine("web2", agent=False)])
    cluster.control("POST", "settings", agent_patience=0)
    found = info(cluster, agent=True)
    assert found["web1"]["addresses"] and found["web2"]["addresses"] == ["10.0.0.3"]
