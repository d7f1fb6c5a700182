# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin protocol's messages, and values and paths as it carries them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc
import msgpack

_HERE = str(Path(__file__).parent)
if _HERE not in sys.path:  # the compiler inside grpc looks for the file along sys.path
    sys.path.append(_HERE)
messages, service = grpc.protos_and_services("tfplugin6.proto")

UNKNOWN = msgpack.ExtType(0, b"\x00")
"""A value known after apply."""

Steps = tuple["str | int", ...]


def pack(value: Any) -> Any:
    """A value for the wire."""
    return messages.Value(msgpack=msgpack.packb(value))


def _extension(_code: int, _data: bytes) -> Any:
    # Terraform may refine an unknown value ("not null", a prefix); it is unknown all the same.
    return UNKNOWN


def unpack(value: Any) -> Any:
    """A value from the wire; None for "no object"."""
    if not value.msgpack:
        return None
    return msgpack.unpackb(value.msgpack, ext_hook=_extension, strict_map_key=False)


def wire_path(steps: Iterable[str | int]) -> Any:
    """A path into a value. Map keys are sent as attribute names: enough for a place in an error."""
    made = [
        messages.Path.Step(attribute_name=step) if isinstance(step, str) else messages.Path.Step(element_key_int=step)
        for step in steps
    ]
    return messages.Path(steps=made)


def error(summary: str, detail: str = "", at: Iterable[str | int] = ()) -> Any:
    """A diagnostic that stops Terraform."""
    diagnostic = messages.Diagnostic(severity=messages.Diagnostic.ERROR, summary=summary, detail=detail)
    steps = tuple(at)
    if steps:
        diagnostic.attribute.CopyFrom(wire_path(steps))
    return diagnostic
