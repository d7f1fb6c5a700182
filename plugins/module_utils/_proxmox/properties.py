# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Property strings: `virtio=BC:24:11:..,bridge=vmbr0,tag=5`."""

from __future__ import annotations

from collections.abc import Mapping

NIC_MODELS = frozenset(
    (
        *("virtio", "e1000", "e1000e", "e1000-82540em", "e1000-82544gc", "e1000-82545em", "rtl8139", "vmxnet3"),
        *("i82551", "i82557b", "i82559er", "ne2k_isa", "ne2k_pci", "pcnet"),
    )
)


def parse(text: str, default: str) -> dict[str, str]:
    """Its keys and values; what stands first without a key is `default`'s."""
    found: dict[str, str] = {}
    for index, part in enumerate(item for item in str(text).split(",") if item):
        key, equals, value = part.partition("=")
        if not equals and index == 0:
            found[default] = part
        else:
            found[key] = value
    return found


def compose(values: Mapping[str, str], default: str) -> str:
    """The string for these values, as Proxmox itself writes it: the default key first, then by name."""
    first = [values[default]] if default in values else []
    return ",".join(first + [f"{key}={values[key]}" for key in sorted(values) if key != default])


def parse_nic(text: str) -> dict[str, str]:
    """A network device; the model and its MAC are `model` and `mac`, however they were written."""
    found = parse(text, "model")
    for key in list(found):
        if key.lower() in NIC_MODELS:
            found["model"], found["mac"] = key.lower(), found.pop(key)
    if "macaddr" in found:
        found["mac"] = found.pop("macaddr")
    if "mac" in found:
        found["mac"] = found["mac"].upper()
    return found


def compose_nic(values: Mapping[str, str]) -> str:
    rest = {key: value for key, value in values.items() if key not in ("model", "mac")}
    model = values.get("model", "virtio")
    first = f"{model}={values['mac']}" if values.get("mac") else model
    return ",".join([first] + [f"{key}={rest[key]}" for key in sorted(rest)])
