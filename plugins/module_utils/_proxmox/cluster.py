# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A cluster of nodes: made on the first one, joined by the others one after the other, over the links they name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, DesiredError, Fault, Reader, Step, Writer
from .._values import Secret
from .._wait import Deadline, WaitFailed, Waiting
from .client import Connection, Proxmox, classify, explain
from .errors import Busy, Denied, Exists, LoginFailed, ProxmoxError, TaskFailed, Uncertain
from .options import connection_of, connection_problems
from .session import Session, flag

JOIN_WITHIN = 300.0

Connect = Callable[[Mapping[str, Any]], Proxmox]


def spec() -> dict[str, Any]:
    node = {
        "name": {"type": "str", "required": True},
        "api_host": {"type": "str", "required": True},
        "links": {"type": "list", "elements": "str", "default": []},
        "password": {"type": "str", "no_log": True},
        "fingerprint": {"type": "str"},
        "votes": {"type": "int"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    return {
        "name": {"type": "str", "required": True},
        "nodes": {"type": "list", "elements": "dict", "required": True, "options": node},
    }


def connector(parameters: Mapping[str, Any]) -> Connect:
    """A client for one node of the set: each has a configuration of its own until it has joined."""
    problems = connection_problems({**parameters, "api_host": ["-"]})
    if problems:
        raise LoginFailed("; ".join(problems))
    common: Connection = connection_of({**parameters, "api_host": [parameters["nodes"][0]["api_host"]]})

    def connect(node: Mapping[str, Any]) -> Proxmox:
        password: Secret | None = node.get("password") or common.password
        return Proxmox(replace(common, hosts=(node["api_host"],), password=password))

    return connect


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    problems: list[str] = []
    before = ""
    staying = [node for node in parameters["nodes"] if node["state"] == "present"]
    if not staying:
        problems.append(f"cluster {parameters['name']}: no node is to be in it")
    links = {len(node["links"]) for node in staying}
    if len(links) > 1:
        told = ", ".join(f"{node['name']} has {len(node['links'])}" for node in staying)
        problems.append(f"cluster {parameters['name']}: its nodes name different numbers of links ({told})")
    for node in parameters["nodes"]:
        name = node["name"]
        if node["state"] == "absent":
            yield Desired(name, present=False, label=f"node {name}")
            continue
        fields: dict[str, Any] = {"cluster": parameters["name"]}
        if node["links"]:
            fields["links"] = list(node["links"])
        if "votes" in node:
            fields["votes"] = node["votes"]
        yield Desired(name, fields, frozenset([before] if before else []), label=f"node {name}")
        before = name
    if problems:
        raise DesiredError(problems)


class Members(Reader):
    kind = "cluster member"

    def __init__(self, parameters: Mapping[str, Any], connect: Connect) -> None:
        self.parameters, self.connect = parameters, connect
        self.given: dict[str, Mapping[str, Any]] = {node["name"]: node for node in parameters["nodes"]}
        self.alone: dict[str, str] = {}
        """Nodes that are in no cluster of ours: why each of them cannot join; empty when it can."""
        self.online: dict[str, bool] = {}
        self.quorate = True
        self.qdevice = False
        self.member: Mapping[str, Any] | None = None
        """A node through which the cluster is reached; None where there is none yet."""

    def classify(self, error: Exception) -> Fault:
        return classify(error)

    def explain(self, error: Exception) -> tuple[str, str]:
        return explain(error)

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        del desired
        self.alone, self.online, self.member = {}, {}, None
        found: list[Current] = []
        lost: dict[str, str] = {}
        # Who is to leave is off, and the others know of it.
        for node in (node for node in self.parameters["nodes"] if node["state"] == "present"):
            if node["name"] in self.online:
                continue
            try:
                with contextlib.closing(self.connect(node)) as pve:
                    found += self._ask(node, pve)
            except Busy as error:
                lost[node["name"]] = error.sentence
        for name, cause in lost.items():
            if name not in self.online:
                self.alone[name] = f"it cannot be reached at {self.given[name]['api_host']}: {cause}"
        return found

    def _ask(self, node: Mapping[str, Any], pve: Proxmox) -> list[Current]:
        """What one node knows: the whole cluster when it is in it."""
        status = pve.get("/cluster/status")
        own = next((row["name"] for row in status if row.get("type") == "node" and flag(row.get("local", 0))), "")
        if own and own != node["name"]:
            self.alone[node["name"]] = f"the server at {node['api_host']} calls itself {own}"
            return []
        cluster = next((row for row in status if row.get("type") == "cluster"), None)
        if cluster is None:
            guests = [str(row.get("name") or row["vmid"]) for row in pve.get("/cluster/resources", type="vm")]
            told = f"it has guests ({', '.join(guests[:5])}), and Proxmox joins only empty nodes"
            self.alone[node["name"]] = told if guests else ""
            return []
        if cluster["name"] != self.parameters["name"]:
            self.alone[node["name"]] = f"it is in a cluster named {cluster['name']}"
            return []
        if self.member is not None:
            self.alone[node["name"]] = f"there are two clusters named {cluster['name']}, and it is in the other one"
            return []
        self.member, self.quorate = node, flag(cluster.get("quorate", 1))
        with contextlib.suppress(ProxmoxError):
            self.qdevice = bool(pve.get("/cluster/config/qdevice"))
        self.online = {row["name"]: flag(row.get("online", 0)) for row in status if row.get("type") == "node"}
        return [self._current(row, str(cluster["name"])) for row in pve.get("/cluster/config/nodes")]

    def _current(self, row: Mapping[str, Any], cluster: str) -> Current:
        return Current(str(row["node"]), {"cluster": cluster, **_seat(row)})

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        name = self.parameters["name"]
        first = next((item.key for item in desired if item.present), "")
        for item in desired:
            cause = self.alone.get(item.key, "")
            if cause and item.present and (item.key != first or self.member is not None or "guests" not in cause):
                yield f"{item.label}: it cannot become part of cluster {name}: {cause}"
            have = current.get(item.key)
            if have is None or not item.present:
                continue
            for field in ("links", "votes"):
                if field in item.fields and item.fields[field] != have.fields[field]:
                    yield (
                        f"{item.label}: its {field} are {have.fields[field]}, wanted {item.fields[field]}; the API "
                        "cannot change them: edit /etc/pve/corosync.conf on a node (raise config_version), or name "
                        "them as they are"
                    )
        if self.member is not None and not self.quorate and any(item.key not in current for item in desired):
            yield f"cluster {name}: it has no quorum, so nobody can join or leave; bring back enough of its nodes"
        for item in desired:
            if not item.present and item.key in current and self.online.get(item.key):
                yield (
                    f"{item.label}: it is online; move its guests away, power it off, and never let it come back with "
                    "its present configuration; then run again"
                )

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current
        count = sum(item.present for item in desired)
        if count % 2 == 0 and not self.qdevice:
            lost = "one of them is lost, the other one stops too" if count == 2 else "half of them are lost, all stop"
            yield (
                f"cluster {self.parameters['name']} has {count} nodes: when {lost} (no quorum). Add a QDevice on a "
                "server outside of the cluster (hypervisors.qdevice in a manifest, or pvecm qdevice setup ADDRESS), or "
                "a node more"
            )
        away = sorted(name for name, up in self.online.items() if not up)
        if away:
            yield f"cluster {self.parameters['name']}: {', '.join(away)} is offline"


def info(session: Session, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """For proxmox_cluster_info."""
    del parameters
    status = session.pve.get("/cluster/status")
    made: Mapping[str, Any] = next((row for row in status if row.get("type") == "cluster"), {})
    qdevice = False
    configured: dict[str, Any] = {}
    if made:
        configured = {str(row["node"]): row for row in session.pve.get("/cluster/config/nodes")}
        with contextlib.suppress(ProxmoxError):
            qdevice = bool(session.pve.get("/cluster/config/qdevice"))
    nodes = [
        {
            "name": str(row["name"]),
            "address": str(row.get("ip", "")),
            "online": flag(row.get("online", 0)),
            **_seat(configured.get(str(row["name"]), {})),
        }
        for row in sorted(status, key=lambda row: str(row["name"]))
        if row.get("type") == "node"
    ]
    # A server that stands alone is whole by itself.
    quorate = flag(made.get("quorate", 1))
    return {"name": str(made.get("name", "")), "quorate": quorate, "qdevice": qdevice, "nodes": nodes}


def _seat(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration of a cluster says of one of its nodes."""
    links = [str(row[f"ring{n}_addr"]) for n in range(8) if row.get(f"ring{n}_addr")]
    return {"links": links, "votes": int(row.get("quorum_votes", 1))}


class MembersWriter(Writer):
    def __init__(self, reader: Members) -> None:
        self.reader = reader

    def create(self, change: Change, step: Step) -> None:
        reader = self.reader
        node = reader.given[change.key]
        if reader.member is None:
            self._found(node, step)
            reader.member = node
        else:
            self._join(node, reader.member, step)

    def delete(self, change: Change, step: Step) -> None:
        member = self._another(change.key)
        with contextlib.closing(self.reader.connect(member)) as pve:
            pve.delete(f"/cluster/config/nodes/{change.key}")
            step.wait_for(
                "leaving the cluster",
                lambda: self._gone(pve, change.key),
                at_most=60.0,
            )

    def _another(self, name: str) -> Mapping[str, Any]:
        for other, up in self.reader.online.items():
            if up and other != name and other in self.reader.given:
                return self.reader.given[other]
        raise AdapterError(f"no other node of the cluster can be asked to remove {name}", "name one that is online")

    @staticmethod
    def _gone(pve: Proxmox, name: str) -> bool | Waiting:
        there = [row["node"] for row in pve.get("/cluster/config/nodes")]
        return Waiting(f"{name} is still listed") if name in there else True

    def _found(self, node: Mapping[str, Any], step: Step) -> None:
        with contextlib.closing(self.reader.connect(node)) as pve:
            params = {"clustername": self.reader.parameters["name"], **_links(node), **_votes(node)}
            try:
                upid = pve.post("/cluster/config", **params)
                pve.wait(upid, f"making cluster {params['clustername']}", step.deadline.within(JOIN_WITHIN))
            except (Exists, TaskFailed, Uncertain) as error:
                # Its services restart at the end; what counts is whether the cluster is there.
                if isinstance(error, TaskFailed) and "already exists" not in error.said:
                    raise
            self._settled(pve, [node["name"]], step)

    def _join(self, node: Mapping[str, Any], member: Mapping[str, Any], step: Step) -> None:
        with contextlib.closing(self.reader.connect(member)) as cluster:
            info = cluster.get("/cluster/config/join", node=member["name"])
            row = next(row for row in info["nodelist"] if row["name"] == member["name"])
            password = member.get("password") or cluster.connection.password
            if password is None:
                raise Denied(
                    "joining needs the password of root@pam; no token may do it",
                    "give api_user root@pam with api_password, or password for each node",
                )
            params = {
                "hostname": (member["links"] or [row["pve_addr"]])[0],
                "password": password,
                "fingerprint": member.get("fingerprint") or row["pve_fp"],
                **_links(node),
                **_votes(node),
            }
            failure = ""
            with contextlib.closing(self.reader.connect(node)) as pve:
                # The node gets the cluster's certificates and users: its connection, its task and our login end.
                try:
                    upid = pve.post("/cluster/config/join", **params)
                except (Busy, Uncertain) as error:
                    failure = str(error)
                else:
                    failure = _until_lost(pve, upid, node["name"], step)
            try:
                self._settled(cluster, [node["name"]], step)
            except WaitFailed as error:
                told = f"; the node itself said last: {failure}" if failure else ""
                raise AdapterError(
                    f"{error}{told}",
                    f"look at the task log of {node['name']} (clusterjoin) and at `pvecm status` on {member['name']}",
                ) from None

    def _settled(self, pve: Proxmox, names: Sequence[str], step: Step) -> None:
        """Until the cluster itself has them, online and with a quorum."""

        def probe() -> bool | Waiting:
            status = pve.get("/cluster/status")
            cluster = next((row for row in status if row.get("type") == "cluster"), None)
            if cluster is None:
                return Waiting("there is no cluster yet")
            online = {row["name"]: flag(row.get("online", 0)) for row in status if row.get("type") == "node"}
            away = [name for name in names if not online.get(name)]
            if away:
                known = "is a member and not online yet" if away[0] in online else "is not a member yet"
                return Waiting(f"{away[0]} {known}")
            return True if flag(cluster.get("quorate", 0)) else Waiting("the cluster has no quorum")

        step.wait_for("being a member of a cluster with a quorum", probe, at_most=JOIN_WITHIN)
        self.reader.online.update(dict.fromkeys(names, True))


def _until_lost(pve: Proxmox, upid: str, name: str, step: Step) -> str:
    """What became of the task, as far as it can be followed; raises if the task itself says that it failed."""
    try:
        pve.wait(upid, f"{name} joins", Deadline(60.0, step.deadline.clock))
    except TaskFailed:
        raise
    except (ProxmoxError, WaitFailed) as error:
        return str(error)
    return ""


def _links(node: Mapping[str, Any]) -> dict[str, str]:
    return {f"link{number}": address for number, address in enumerate(node["links"])}


def _votes(node: Mapping[str, Any]) -> dict[str, int]:
    return {"votes": node["votes"]} if "votes" in node else {}
