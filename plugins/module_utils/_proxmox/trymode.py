# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Changes that could lock everybody out of a node, made so that the node itself takes them back.

The role `proxmox_node` installs a helper (`socle-try`) on each node. It is armed through the node's notes, keeps the
files as they are, and puts them back when the time is over. It is disarmed by a call that goes to the node's own
address over a new connection, and so only by somebody who can still reach it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .._objects import AdapterError, Step
from .._wait import Deadline, Hopeless, WaitFailed, Waiting
from .client import Connection, Proxmox
from .errors import Busy, Moved, ProxmoxError, Uncertain

LINE = re.compile(r"^socle-try (?P<word>arm|armed|disarm|revert|reverted) (?P<token>[0-9a-f]{8,64})(?: .*)?$")
ANSWER_WITHIN = 20.0
# How long a node may take to answer again after it has put back what it kept.
RETURN_WITHIN = 120.0
ONE_ANSWER = 15.0


class Api(Protocol):
    """What is needed of a client of the API."""

    def get(self, path: str, **params: Any) -> Any: ...

    def whole(self, path: str, **params: Any) -> dict[str, Any]: ...

    def put(self, path: str, **params: Any) -> Any: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Door:
    """A node, and where it must be reached: the address its API answers at, and ports that must take a connection."""

    node: str
    address: str
    ports: tuple[int, ...] = ()
    after: str = ""
    """Its address once the change is made, where that is another one."""


@dataclass(frozen=True)
class Tools:
    """How to get to nodes; tests give others."""

    connect: Callable[[str], Api]
    """A client for one address, without any connection of an earlier one."""
    knock: Callable[[str, int], str]
    """Why a port takes no connection; empty when it does."""


class Once:
    """A client whose reads are not tried again: that a node does not answer is what is to be known."""

    def __init__(self, connection: Connection, address: str) -> None:
        timeout = min(connection.timeout, ONE_ANSWER)
        self._pve = Proxmox(replace(connection, hosts=(address,), timeout=timeout))

    def get(self, path: str, **params: Any) -> Any:
        return self._pve.request("GET", path, params)

    def whole(self, path: str, **params: Any) -> dict[str, Any]:
        return self._pve.whole(path, **params)

    def put(self, path: str, **params: Any) -> Any:
        return self._pve.put(path, **params)

    def close(self) -> None:
        self._pve.close()


def tools_of(connection: Connection) -> Tools:
    return Tools(lambda address: Once(connection, address), knock)


def doors(
    nodes: Sequence[str], named: Mapping[str, str], status: Sequence[Mapping[str, Any]], connection: Connection
) -> dict[str, Door]:
    """Where each node is reached: as named, else by the API host of that name, else as the cluster knows it."""
    ips = {str(row["name"]): str(row["ip"]) for row in status if row.get("type") == "node" and row.get("ip")}
    hosts = {host_of(host).partition(".")[0]: host for host in connection.hosts}
    alone = len(ips) <= 1 and len(connection.hosts) == 1
    found = {}
    for node in nodes:
        address = named.get(node) or hosts.get(node) or (connection.hosts[0] if alone else ips.get(node, node))
        found[node] = Door(node, address)
    return found


def with_ports(door: Door, ports: Sequence[int], tools: Tools) -> Door:
    """The door with those of `ports` that take a connection now: a port that is closed anyway proves nothing."""
    return replace(door, ports=tuple(port for port in ports if not tools.knock(door.address, port)))


@dataclass(frozen=True)
class Terms:
    seconds: float = 120.0
    """After which the node goes back by itself."""
    settle: float = 0.0
    """How long the change takes to have its effect: being reached before that proves nothing."""
    scope: str = "network"


def attempt(
    doors: Sequence[Door],
    change: Callable[[], None],
    step: Step,
    tools: Tools,
    terms: Terms,
    check: Callable[[str, Api], str] | None = None,
) -> None:
    """Arm all nodes, make the change, reach each of them anew, disarm; or raise once they are back to what they were.

    `check` says what is wrong with a node that was reached after the change; empty when nothing is.
    """
    for door in doors:
        cause = reached(door.address, door.ports, tools)
        if cause:
            raise AdapterError(
                f"{door.node} cannot be reached from here at {door.address} before anything was changed ({cause}), "
                "so nobody could tell whether the change locks it out",
                "name an address at which it is reached from here, or set try_mode to false",
            )
    armed: list[tuple[Door, str]] = []
    try:
        for door in doors:
            token = _arm(door, step, tools, terms)
            armed.append((door, token))
    except AdapterError:
        _disarm_all(armed, step, tools)
        raise
    since = step.deadline.clock.now()
    failure = ""
    try:
        change()
    except (Busy, Uncertain, WaitFailed) as error:
        # The answer may be lost just because the change has its effect; what counts is whether the node is reached.
        failure = str(error)
    except AdapterError as error:
        _return_now(armed, step, tools)
        told = _returned(armed, step, tools, terms, f"the change failed: {error.sentence}")
        raise AdapterError(told, error.hint) from None
    cause = _unreached(armed, step, tools, terms, since, check)
    if not cause:
        late = _disarm_all([(_moved(door), token) for door, token in armed], step, tools)
        if not late:
            return
        cause = late
    told = _returned(armed, step, tools, terms, f"{cause}{f' (the change itself said: {failure})' if failure else ''}")
    raise AdapterError(told, "correct what was asked for; see docs/proxmox-networks.md about try mode")


def reached(address: str, ports: Sequence[int], tools: Tools) -> str:
    """Why the node's API or one of its ports does not answer a new connection; empty when all do."""
    try:
        api = tools.connect(address)
    except ProxmoxError as error:
        return error.sentence
    try:
        api.get("/version")
    except ProxmoxError as error:
        return error.sentence
    finally:
        api.close()
    for port in ports:
        cause = tools.knock(address, port)
        if cause:
            return cause
    return ""


def knock(address: str, port: int) -> str:
    """A TCP connection to the host of an address such as V(pve1), V(10.0.0.1:8006) or V([2001:db8::1]:8006)."""
    host = host_of(address)
    try:
        with socket.create_connection((host, port), timeout=5.0):
            return ""
    except OSError as error:
        return f"{host} port {port}: {error}"


def host_of(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address if address.count(":") > 1 else address.partition(":")[0]


def _moved(door: Door) -> Door:
    return replace(door, address=door.after or door.address)


def _arm(door: Door, step: Step, tools: Tools, terms: Terms) -> str:
    token = secrets.token_hex(8)
    wanted = f"socle-try arm {token} {int(terms.seconds)} {terms.scope}"
    api = tools.connect(door.address)
    try:
        word, other = _line(_notes(api, door.node)[0])
        if word in ("arm", "armed", "disarm", "revert"):
            raise AdapterError(
                f"{door.node}: another change is being tried on it ({word} {other})",
                "wait until that is over; a line 'socle-try ...' that stays in the node's notes may be removed by hand",
            )
        _write(api, door.node, wanted)

        def probe() -> str | Waiting | Hopeless:
            word, found = _line(_notes(api, door.node)[0])
            if (word, found) == ("armed", token):
                return token
            if found != token:
                return Hopeless("its helper is armed by somebody else, or somebody wrote over the node's notes")
            return Waiting("its helper socle-try has not answered in the node's notes")

        try:
            step.wait_for(f"arming the revert on {door.node}", probe, at_most=ANSWER_WITHIN)
        except WaitFailed as error:
            with contextlib.suppress(ProxmoxError):
                _write(api, door.node, f"socle-try disarm {token}")
                _write(api, door.node, "")
            raise AdapterError(
                f"{door.node}: nothing was changed, because no revert could be armed: {error.cause}",
                "let role socle.platform.proxmox_node install socle-try there (systemctl status socle-try), or set "
                "try_mode to false",
            ) from None
    finally:
        api.close()
    return token


def _unreached(
    armed: Sequence[tuple[Door, str]],
    step: Step,
    tools: Tools,
    terms: Terms,
    since: float,
    check: Callable[[str, Api], str] | None,
) -> str:
    """Which node could not be reached in time, and why; empty when all were."""
    clock = step.deadline.clock
    # What is left after it must suffice to disarm all of them.
    at_most = max(terms.seconds * 0.7, terms.seconds - 30.0) - (clock.now() - since)
    for door, _token in armed:
        place = _moved(door)

        def probe(place: Door = place) -> bool | Waiting:
            # Reached before the change has its effect means nothing, so the answer only counts afterwards.
            early = clock.now() - since < terms.settle
            cause = reached(place.address, place.ports, tools) or _checked(place, tools, check)
            if cause:
                return Waiting(cause)
            return Waiting("reached, and the change may still have to take effect") if early else True

        try:
            step.wait_for(f"reaching {place.node} again at {place.address}", probe, at_most=max(at_most, 0.0))
        except WaitFailed as error:
            return f"{place.node} could not be reached at {place.address} after the change: {error.cause}"
        at_most = max(terms.seconds * 0.7, terms.seconds - 30.0) - (clock.now() - since)
    return ""


def _checked(place: Door, tools: Tools, check: Callable[[str, Api], str] | None) -> str:
    if check is None:
        return ""
    api = tools.connect(place.address)
    try:
        return check(place.node, api)
    except ProxmoxError as error:
        return error.sentence
    finally:
        api.close()


def _disarm_all(armed: Sequence[tuple[Door, str]], step: Step, tools: Tools) -> str:
    """Which node had gone back already; empty when all are disarmed."""
    said = ""
    for door, token in armed:
        said = said or _disarm(door, token, step, tools)
    return said


def _disarm(door: Door, token: str, step: Step, tools: Tools) -> str:
    def probe() -> str | Waiting:
        api = tools.connect(door.address)
        try:
            word, found = _line(_notes(api, door.node)[0])
            if word == "reverted":
                return f"{door.node} had already gone back when it was to be disarmed"
            if found != token:
                return ""
            if word != "disarm":
                _write(api, door.node, f"socle-try disarm {token}")
            return Waiting("its helper has not yet confirmed")
        except ProxmoxError as error:
            return Waiting(error.sentence)
        finally:
            api.close()

    try:
        return step.wait_for(f"disarming the revert on {door.node}", probe, at_most=ANSWER_WITHIN)
    except WaitFailed as error:
        return f"{door.node} could not be disarmed: {error.cause}"


def _return_now(armed: Sequence[tuple[Door, str]], step: Step, tools: Tools) -> None:
    """Ask for the revert without waiting for its time; who cannot be asked does it later."""
    del step
    for door, token in armed:
        with contextlib.suppress(ProxmoxError):
            api = tools.connect(door.address)
            try:
                _write(api, door.node, f"socle-try revert {token}")
            finally:
                api.close()


def _returned(armed: Sequence[tuple[Door, str]], step: Step, tools: Tools, terms: Terms, cause: str) -> str:
    """Wait until every node is what it was and answers; the sentence that tells so."""
    # What was asked for may be over; a node on its way back is waited for all the same.
    deadline = Deadline(terms.seconds + RETURN_WITHIN, step.deadline.clock)
    waiting = Step(step.change, deadline, step.progress, step.transient)
    lost = []
    for door, token in armed:

        def probe(door: Door = door, token: str = token) -> bool | Waiting:
            try:
                api = tools.connect(door.address)
            except ProxmoxError as error:
                return Waiting(error.sentence)
            try:
                word, found = _line(_notes(api, door.node)[0])
                if found != token or word == "reverted":
                    _forget(api, door.node, token)
                    return True
                return Waiting("it answers, and its helper has not put back what it kept yet")
            except ProxmoxError as error:
                return Waiting(error.sentence)
            finally:
                api.close()

        try:
            waiting.wait_for(f"waiting for {door.node} to go back", probe)
        except WaitFailed as error:
            lost.append(f"{door.node} ({error.cause})")
    if lost:
        return f"{cause}; and not back yet: {', '.join(lost)}: use the provider's console"
    names = ", ".join(door.node for door, _token in armed)
    return f"{cause}; {names} put back what was there before and can be reached again"


def _forget(api: Api, node: str, token: str) -> None:
    with contextlib.suppress(ProxmoxError):
        word, found = _line(_notes(api, node)[0])
        if found == token and word == "reverted":
            _write(api, node, "")


def _notes(api: Api, node: str) -> tuple[str, str]:
    """The node's notes and the digest of the file they are in."""
    config: Mapping[str, Any] = api.get(f"/nodes/{node}/config") or {}
    return str(config.get("description") or ""), str(config.get("digest") or "")


def _line(notes: str) -> tuple[str, str]:
    for text in notes.splitlines():
        match = LINE.match(text.strip())
        if match:
            return match["word"], match["token"]
    return "", ""


def _write(api: Api, node: str, line: str) -> None:
    """Put our line into the node's notes, in place of any earlier one; other notes stay."""
    for left in (2, 1, 0):
        notes, digest = _notes(api, node)
        others = [text for text in notes.splitlines() if not LINE.match(text.strip())]
        text = "\n".join([*others, *([line] if line else [])])
        changes = {"description": text} if text else {"delete": "description"}
        try:
            api.put(f"/nodes/{node}/config", **changes, **({"digest": digest} if digest else {}))
            return
        except Moved:
            if not left:
                raise
