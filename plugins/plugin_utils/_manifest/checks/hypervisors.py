# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Hypervisors: images of templates, the public side, the vote from outside, and who manages the nodes."""

from __future__ import annotations

import ipaddress

from ..errors import Path
from .context import Context

AT: Path = ("hypervisors",)


def check(context: Context) -> None:
    if context.manifest.hypervisors is None:
        return
    _templates(context)
    _public(context)
    _qdevice(context)


def _templates(context: Context) -> None:
    for name, image in context.manifest.hypervisors.templates.items():
        path = (*AT, "templates", name)
        if image.url is not None and not context.written(*path, "checksum"):
            what = "an image without a checksum could be any image"
            context.error((*path, "url"), what, "checksum: beside it (sha256:... or sha512:...)", key=True)
        for key in ("checksum", "version"):
            if not context.written(*path, "url") and getattr(image, key) is not None:
                context.error((*path, key), "there is no image that it is about", "url: beside it", key=True)


def _public(context: Context) -> None:
    network = context.manifest.hypervisors.network
    path = (*AT, "network")
    if network.public_network is None:
        return
    public, rack = ipaddress.IPv4Network(network.public_network), ipaddress.IPv4Network(network.rack)
    if public.overlaps(rack):
        what = f"{public} meets the rack network {rack}"
        context.error((*path, "public_network"), what, "the network of the public side")
    for name, group in context.manifest.machines.items():
        for index, address in enumerate(group.public_addresses):
            if ipaddress.IPv4Address(address) not in public:
                what = f"{address} is outside of the public network {public}"
                context.error(("machines", name, "public_addresses", index), what, f"an address in {public}")


def _qdevice(context: Context) -> None:
    hypervisors = context.manifest.hypervisors
    if hypervisors.qdevice is None:
        return
    path = (*AT, "qdevice")
    mine = next((name for name, node in hypervisors.nodes.items() if node.address == hypervisors.qdevice), "")
    if mine:
        context.error(path, f"{hypervisors.qdevice} is {mine}, a node itself", "a server outside of the cluster")
    if not hypervisors.install:
        what = "the vote is set up over SSH, and `install: false` does nothing over SSH"
        context.error(path, what, "install: true, or no qdevice when the cluster has it already", key=True)
    if len(hypervisors.nodes) % 2:
        what = f"{len(hypervisors.nodes)} nodes are an odd number: one more vote would make it even"
        context.warn(path, what, "no qdevice", key=True)
