# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the modules take and give: parameters in, plain data out."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .._wait import Deadline, Progress
from .backup import Order, open_newest, take
from .decide import decide
from .gate import View
from .live import door, remove_member, wait_open
from .machine import Places, look
from .state import State, parse
from .steps import Wanted

_NAMES = {"type": "list", "elements": "str", "default": []}

NEXT: dict[str, dict[str, Any]] = {
    "machines": {"type": "dict", "required": True},
    "version": {"type": "str", "required": True},
    "control_planes": {"type": "dict", "required": True},
    "workers": _NAMES,
    "addons": {"type": "list", "elements": "str", "default": ["coredns", "kube-proxy"]},
    "upgrade": {"type": "bool", "default": False},
    "remove": _NAMES,
    "replace": _NAMES,
    "snapshot": {"type": "str", "default": ""},
    "renew_before": {"type": "float", "default": 30.0},
    "serial": {"type": "int", "default": 1},
    "done": {"type": "list", "elements": "dict", "default": []},
    "waited": {"type": "float", "default": 0.0},
    "patience": {"type": "float", "default": 300.0},
}

_PLACES: dict[str, dict[str, Any]] = {
    "kubernetes_dir": {"type": "path", "default": "/etc/kubernetes"},
    "kubelet_dir": {"type": "path", "default": "/var/lib/kubelet"},
    "etcd_dir": {"type": "path", "default": "/var/lib/etcd"},
}
STATE: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "address": {"type": "str", "default": ""},
    "timeout": {"type": "float", "default": 3.0},
    **_PLACES,
}
GATE: dict[str, dict[str, Any]] = {
    "act": {"type": "str", "choices": ["restart", "remove", "join"], "required": True},
    "member": {"type": "str", "default": ""},
    "control_planes": {"type": "dict", "default": {}},
    "move_leader": {"type": "bool", "default": True},
    "timeout": {"type": "float", "default": 120.0},
    **_PLACES,
}
MEMBER: dict[str, dict[str, Any]] = {
    "member": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 120.0},
    **_PLACES,
}

SNAPSHOT: dict[str, dict[str, Any]] = {
    "folder": {"type": "path", "default": "/var/backups/etcd"},
    "recipient": {"type": "str", "default": ""},
    "files": {"type": "list", "elements": "path", "default": []},
    "keep": {"type": "int", "default": 0},
    "keep_days": {"type": "float", "default": 0.0},
    "fresh": {"type": "float", "default": 0.0},
    **_PLACES,
}
OPEN: dict[str, dict[str, Any]] = {
    "source": {"type": "path", "default": "/var/backups/etcd"},
    "path": {"type": "path", "required": True},
    "cluster": {"type": "str", "default": ""},
    "certificate": {"type": "str", "default": ""},
    "key": {"type": "str", "default": "", "no_log": True},
}


def opened(parameters: Mapping[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """A good snapshot in clear."""
    progress.waiting("a good snapshot", "they are being read, the newest first", 0.0)
    given = {name: parameters[name] for name in ("cluster", "certificate", "key")}
    found = asdict(open_newest(Path(parameters["source"]), Path(parameters["path"]), dry=check_mode, **given))
    return {"changed": True, "path": parameters["path"], **found, "passed": list(found["passed"])}


def snapshot(parameters: Mapping[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """A snapshot of the etcd on this machine."""
    order = Order(
        Path(parameters["folder"]),
        parameters["recipient"],
        tuple(Path(path) for path in parameters["files"]),
        parameters["keep"],
        parameters["keep_days"],
        parameters["fresh"],
    )
    progress.waiting("a snapshot of etcd", "it is being read", 0.0)
    taken = asdict(take(places(parameters), order, dry=check_mode))
    return {"changed": taken.pop("made"), **taken, "pruned": list(taken["pruned"])}


def state(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What this machine tells."""
    found = look(
        parameters["name"] or socket.gethostname().lower(),
        parameters["address"],
        places(parameters),
        timeout=parameters["timeout"],
    )
    return asdict(found)


def gate(parameters: Mapping[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """Passes when the act is safe now."""
    opened = door(places(parameters), parameters["control_planes"])
    deadline = Deadline(0 if check_mode else parameters["timeout"])
    move = parameters["move_leader"] and not check_mode
    passed = wait_open(opened, parameters["act"], parameters["member"], deadline, move=move, progress=progress)
    return {"changed": passed.moved, **_shown(passed.view)}


def without_member(parameters: Mapping[str, Any], check_mode: bool, progress: Progress) -> dict[str, Any]:
    """A member is in the list no longer."""
    opened = door(places(parameters), {})
    deadline = Deadline(parameters["timeout"])
    changed = remove_member(opened, parameters["member"], deadline, dry=check_mode, progress=progress)
    return {"changed": changed, **_shown(opened.look()[0])}


def _shown(view: View) -> dict[str, Any]:
    return {"members": [asdict(member) for member in view.members], "leader": view.leader, "apis": dict(view.apis)}


def places(parameters: Mapping[str, Any]) -> Places:
    return Places(*(Path(parameters[name]) for name in ("kubernetes_dir", "kubelet_dir", "etcd_dir")))


def next_steps(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The decision, for machines as `kubeadm_state` tells them. What tells nothing counts as not asked."""
    machines = {name: told for name, told in parameters["machines"].items() if told}
    states = {name: parse(State, {**told, "name": name}) for name, told in machines.items()}
    return decide(states, parse(Wanted, parameters)).as_dict()


__all__ = [
    "GATE",
    "MEMBER",
    "NEXT",
    "OPEN",
    "SNAPSHOT",
    "STATE",
    "gate",
    "next_steps",
    "opened",
    "places",
    "snapshot",
    "state",
    "without_member",
]
