# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What follows from a manifest for the values of single services: where a layer in the catalogue is not enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .declaration import Declaration, Values
from .platform import Cluster, Platform


def names(platform: Platform, cluster: Cluster, size: str, declared: Declaration) -> dict[str, Any]:
    """What catalogue files may write as @{name}."""
    return {
        "platform": platform.name,
        "domain": cluster.domain,
        "cluster": cluster.name,
        "namespace": declared.namespace,
        "version": declared.version,
        "size": size,
        "block_class": cluster.block_class,
        "shared_class": cluster.shared_class,
        "shared_path": cluster.shared_path,
        "issuer": cluster.issuer,
        "replicas": {"small": 1, "standard": 2, "ha": 3}[size],
        "host": f"{declared.web.host}.{cluster.domain}" if declared.web else "",
    }


OF: dict[str, Callable[[Platform, Cluster, str], Values]] = {}
