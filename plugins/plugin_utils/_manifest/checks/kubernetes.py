# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Kubernetes: versions that are supported, upgrades that skip nothing, settings that fit together."""

from __future__ import annotations

import datetime

from ..catalogue import KUBERNETES_ACCEPTED, KUBERNETES_DEFAULT, KUBERNETES_SUPPORT
from ..errors import Path
from .context import Context


def check(context: Context) -> None:
    kubernetes = context.manifest.kubernetes
    if kubernetes is not None:
        path: Path = ("kubernetes", "version")
        if supported(context, path, kubernetes.version) and kubernetes.upgrade_from is not None:
            _skew(context, kubernetes.upgrade_from, kubernetes.version)
        if kubernetes.encryption == "kms" and kubernetes.kms_endpoint is None:
            context.error(
                ("kubernetes", "encryption"), "kms needs to know its plugin", "kms_endpoint: unix:///... beside it"
            )
        if kubernetes.encryption == "none":
            context.warn(("kubernetes", "encryption"), "Secrets lie in etcd in clear", "encryption: secretbox")
        if kubernetes.proxy == "nftables" and minor(kubernetes.version) < (1, 37):
            what = "nftables before 1.37 cannot read the rules of newer hosts"
            context.error(("kubernetes", "proxy"), what, "iptables, or version 1.37")
    for name, cloud in context.manifest.clouds.items():
        version = getattr(cloud, "version", None)
        if version is not None:
            supported(context, ("clouds", name, "version"), version)


def minor(version: str) -> tuple[int, int]:
    first, second = version.removeprefix("v").split(".")[:2]
    return int(first), int(second)


def supported(context: Context, path: Path, version: str) -> bool:
    short = ".".join(map(str, minor(version)))
    wanted = f"one of {', '.join(KUBERNETES_ACCEPTED)}"
    if short in KUBERNETES_ACCEPTED:
        end = KUBERNETES_SUPPORT[short]
        if end < datetime.date.today():
            context.warn(path, f"Kubernetes {short} has had no fixes since {end}", "a newer minor")
        return True
    if short in KUBERNETES_SUPPORT:
        what = f"Kubernetes {short} is out of support since {KUBERNETES_SUPPORT[short]}"
    elif minor(version) > minor(KUBERNETES_ACCEPTED[-1]):
        what = f"Kubernetes {short} is newer than what the add-ons are known to work with"
    else:
        what = f"Kubernetes {short} is out of support"
    context.error(path, what, wanted, f'did you mean "{KUBERNETES_DEFAULT}"?')
    return False


def _skew(context: Context, before: str, after: str) -> None:
    path: Path = ("kubernetes", "upgrade_from")
    one, two = minor(before), minor(after)
    if one[0] != two[0] or two[1] - one[1] > 1:
        following = f"{one[0]}.{one[1] + 1}"
        what = f"from {before} to {after} skips a minor"
        hint = f'first version: "{following}", and when all nodes have it, "{after}"'
        context.error(path, what, "one minor at a time, as kubeadm asks for", hint)
    elif two < one:
        what = f"from {before} to {after} goes back"
        context.error(path, what, "the same minor or the next one", "a cluster goes back by restoring a backup")
