# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Templates made of cloud images: what is wanted, where it goes, and how ours are told from other guests."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from .._apply import Result
from .._objects import Current, Desired, DesiredError, Plan
from . import identity
from .errors import NotFound
from .properties import parse, parse_nic
from .session import ApiReader, Session, words
from .sizes import GIB, MIB, parse_size, show_size

TAG = "socle-template"
_ROOT = uuid.UUID("0f2d9c5e-7f0b-5d0e-8a56-2b6f0d0f9a11")
_MARK = re.compile(
    r"^socle: (?P<state>template|making template) (?P<name>\S+) version (?P<version>\S+) at (?P<place>\S+) "
    r"for (?P<platform>\S+) from (?P<checksum>\S+) in (?P<image>\S+)$",
    re.MULTILINE,
)
_CHECKSUM = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*")
SHARED = "everywhere"

TEMPLATE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str"},
    "url": {"type": "str"},
    "checksum": {"type": "str"},
    "validate_url_certs": {"type": "bool", "default": True},
    "storage": {"type": "str"},
    "image_storage": {"type": "str"},
    "nodes": {"type": "list", "elements": "str"},
    "cores": {"type": "int", "default": 1},
    "memory": {"type": "str", "default": "1 GiB"},
    "disk": {"type": "str"},
    "cpu": {"type": "str", "default": "x86-64-v2-AES"},
    "bridge": {"type": "str"},
    "vlan": {"type": "int"},
    "tags": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def spec() -> dict[str, Any]:
    return {
        "templates": {"type": "list", "elements": "dict", "required": True, "options": TEMPLATE},
        "platform": {"type": "str", "default": "socle"},
        "first_id": {"type": "int", "default": 9000},
    }


@dataclass(frozen=True)
class Mark:
    """What the description of a template of ours says. `place` is a node, or SHARED."""

    name: str
    version: str
    place: str
    platform: str
    checksum: str
    image: str
    complete: bool = True

    @property
    def full(self) -> str:
        return f"{self.name}-{self.version}"

    def text(self, complete: bool) -> str:
        state = "template" if complete else "making template"
        return (
            f"socle: {state} {self.name} version {self.version} at {self.place} for {self.platform} "
            f"from {self.checksum} in {self.image}"
        )

    @property
    def uuid(self) -> str:
        return template_uuid(self.full, self.place)

    @property
    def key(self) -> str:
        return key_of(self.full, self.place)


def template_uuid(full: str, place: str) -> str:
    return str(uuid.uuid5(_ROOT, f"{full}@{place}"))


def key_of(full: str, place: str) -> str:
    return full if place == SHARED else f"{full} on {place}"


def mark_of(config: Mapping[str, Any]) -> Mark | None:
    """The mark of a template of ours. A clone of one has the same description, and another uuid."""
    match = _MARK.search(str(config.get("description", "")))
    if match is None:
        return None
    parts = match.groupdict()
    mark = Mark(**{key: parts[key] for key in parts if key != "state"}, complete=parts["state"] == "template")
    return mark if identity.uuid_of(config) == mark.uuid else None


@dataclass(frozen=True)
class Wanted:
    """One template in one place, with what its making needs beside its fields."""

    mark: Mark
    node: str
    storage: str
    url: str = ""
    verify: bool = True


@dataclass
class Cluster:
    """One reading of everything, and what the set makes of it."""

    rows: list[Mapping[str, Any]] = field(default_factory=list)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    configs: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    fresh: bool = False

    def read(self, session: Session) -> None:
        self.rows = session.pve.get("/cluster/resources")
        self.fresh = True

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row.get("type") == kind]

    def nodes(self) -> list[str]:
        return sorted(str(row["node"]) for row in self.of("node") if row.get("status") != "offline")

    def storage(self, name: str) -> dict[str, Mapping[str, Any]]:
        """The storage on each node that has it."""
        return {
            str(row["node"]): row
            for row in self.of("storage")
            if row.get("storage") == name and str(row["node"]) in self.nodes()
        }

    def ids(self) -> set[int]:
        return {int(row["vmid"]) for row in self.rows if "vmid" in row}

    def node_of(self, vmid: int) -> str:
        return next((str(row["node"]) for row in self.rows if row.get("vmid") == vmid), "")


def desired(parameters: Mapping[str, Any], session: Session, cluster: Cluster) -> list[Desired]:
    """One object for each template and place. Where storage is shared one serves all nodes, else each node has one."""
    cluster.read(session)
    problems: list[str] = []
    found: list[Desired] = []
    for item in parameters["templates"]:
        found += _places(item, parameters["platform"], cluster, problems)
    if problems:
        raise DesiredError(problems)
    return found


def _places(item: Mapping[str, Any], platform: str, cluster: Cluster, problems: list[str]) -> Iterator[Desired]:
    wrong, checksum = _wrong(item)
    problems += wrong
    if wrong:
        return
    version = item.get("version") or checksum.partition(":")[2][:12]
    full = f"{item['name']}-{version}"
    if item["state"] == "absent":
        yield from _absent(item["name"], version, cluster)
        return
    if not _NAME.fullmatch(full) or len(full) > 63:
        problems.append(f"template {full}: Proxmox takes letters, digits, hyphens and dots, 63 at most, as a name")
        return
    there = cluster.storage(item["storage"])
    nodes = sorted(set(item.get("nodes") or there))
    for node in nodes:
        if node not in cluster.nodes():
            problems.append(f"template {full}: node {node} is not there or not online; {_are(cluster.nodes())}")
        elif node not in there:
            problems.append(f"template {full}: node {node} has no storage {item['storage']}; {_has(cluster, node)}")
    if not nodes:
        problems.append(f"template {full}: no node has a storage {item['storage']}; {_storages(cluster)}")
    nodes = [node for node in nodes if node in there]
    if nodes and "images" not in words(there[nodes[0]].get("content")):
        problems.append(f"template {full}: storage {item['storage']} is not for disks; allow content images on it")
    shared = bool(nodes) and bool(there[nodes[0]].get("shared"))
    for place in [SHARED] if shared and nodes else nodes:
        node = nodes[0] if place == SHARED else place
        images = _image_storage(item, node, full, cluster, problems)
        image = f"{images}:import/{full}{_ending(item['url'])}"
        mark = Mark(item["name"], version, place, platform, checksum, image)
        cluster.wanted[mark.key] = Wanted(mark, node, item["storage"], item["url"], item["validate_url_certs"])
        yield Desired(mark.key, _fields(item, checksum), identity={"uuid": mark.uuid})


def _absent(name: str, version: str, cluster: Cluster) -> Iterator[Desired]:
    """Wherever it may be: it is not said where it was."""
    for place in [SHARED, *cluster.nodes()]:
        mark = Mark(name, version, place, "", "", "")
        yield Desired(mark.key, present=False, identity={"uuid": mark.uuid})


def _wrong(item: Mapping[str, Any]) -> tuple[list[str], str]:
    """What one template lacks, and its checksum as the API takes it."""
    who = f"template {item['name']}"
    wrong = []
    if item["state"] == "absent":
        if not item.get("version"):
            wrong.append(f"{who}: which version is to be absent? Name it")
        return wrong, ""
    wrong += [f"{who}: {name} is missing" for name in ("url", "checksum", "storage") if not item.get(name)]
    kind, _colon, digits = str(item.get("checksum", "")).lower().partition(":")
    if item.get("checksum") and (kind not in _CHECKSUM or not re.fullmatch(f"[0-9a-f]{{{_CHECKSUM[kind]}}}", digits)):
        known = ", ".join(_CHECKSUM)
        wrong.append(f"{who}: the checksum is written as ALGORITHM:DIGITS, with one of {known} and all of its digits")
    if item.get("url") and urlsplit(item["url"]).scheme not in ("http", "https"):
        wrong.append(f"{who}: the nodes fetch the image by http or https, and the url is {item['url']}")
    for name, unit in (("memory", MIB), ("disk", GIB)):
        try:
            if item.get(name):
                parse_size(item[name], unit, f"{who}: {name}")
        except ValueError as error:
            wrong.append(str(error))
    if item.get("vlan") and not item.get("bridge"):
        wrong.append(f"{who}: vlan is given without the bridge that it is on")
    return wrong, f"{kind}:{digits}"


def _fields(item: Mapping[str, Any], checksum: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "image": checksum,
        "storage": item["storage"],
        "cores": item["cores"],
        "memory": show_size(parse_size(item["memory"], MIB)),
        "cpu": item["cpu"],
        "tags": sorted({tag.lower() for tag in item["tags"]}),
    }
    if item.get("disk"):
        fields["disk"] = show_size(parse_size(item["disk"], GIB))
    if item.get("bridge"):
        fields["bridge"] = item["bridge"]
        fields["vlan"] = item.get("vlan", 0)
    return fields


def _image_storage(item: Mapping[str, Any], node: str, full: str, cluster: Cluster, problems: list[str]) -> str:
    """Where the image is put before its disk is made: the API reads it from a storage with content import only."""
    on_node = {str(row["storage"]): row for row in cluster.of("storage") if row.get("node") == node}
    fits = sorted(name for name, row in on_node.items() if "import" in words(row.get("content")))
    chosen = str(item.get("image_storage") or (fits[0] if fits else ""))
    if not chosen:
        problems.append(
            f"template {full}: node {node} has no storage with content import to put the image on; "
            f"allow it on one of {', '.join(sorted(on_node))} (proxmox_storages)"
        )
    elif chosen not in fits:
        problems.append(f"template {full}: storage {chosen} on node {node} takes no content import; {_fit(fits)}")
    return chosen


def _fit(names: Sequence[str]) -> str:
    return f"these do: {', '.join(names)}" if names else "none does: allow it on one (proxmox_storages)"


def _are(names: Sequence[str]) -> str:
    return f"there are {', '.join(names) or 'none'}"


def _has(cluster: Cluster, node: str) -> str:
    return f"it has {', '.join(sorted(str(r['storage']) for r in cluster.of('storage') if r.get('node') == node))}"


def _storages(cluster: Cluster) -> str:
    return _are(sorted({str(row["storage"]) for row in cluster.of("storage")}))


def _ending(url: str) -> str:
    """Proxmox knows an image by its ending; those of the cloud images are qcow2 whatever they are called."""
    name = urlsplit(url).path.lower()
    return next((ending for ending in (".raw", ".vmdk", ".ova") if name.endswith(ending)), ".qcow2")


class Templates(ApiReader):
    kind = "template"
    unordered = frozenset({"tags"})
    immutable = frozenset({"image", "storage", "disk"})
    computed = ("id", "node")

    def __init__(self, session: Session, cluster: Cluster, platform: str, prune: bool = False) -> None:
        super().__init__(session)
        self.cluster, self.platform, self.prune = cluster, platform, prune

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        cluster = self.cluster
        if not cluster.fresh:
            cluster.read(self.session)
        cluster.fresh = False
        names = {item.key.partition(" ")[0] for item in desired}
        # Tags are live; names and the template flag may be seconds old, and are not asked for anything of ours.
        # What is on a node that is away cannot be asked; whoever wants it there was told so by `desired`.
        online = cluster.nodes()
        guests = [
            row
            for row in cluster.of("qemu")
            if row["node"] in online
            and (TAG in words(row.get("tags")) or str(row.get("name", "")) in names or "name" not in row)
        ]
        cluster.foreign, cluster.configs = [], {}
        found = []
        for row, config in zip(guests, self.session.each(self._config, guests), strict=True):
            mark = mark_of(config) if config else None
            if mark is not None:
                cluster.configs[int(row["vmid"])] = config or {}
                found.append(self._current(row, config or {}, mark))
            elif config and config.get("name") in names:
                cluster.foreign.append(f"{config['name']} (id {row['vmid']} on {row['node']})")
        found = _one_each(found)
        wanted = {item.key for item in desired}
        loose = [item for item in found if item.owned and item.key not in wanted] if self.prune else []
        used = self._in_use(loose)
        return [_kept(item) if item.key in used else item for item in found]

    def _config(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        try:
            config: Mapping[str, Any] = self.session.pve.get(f"/nodes/{row['node']}/qemu/{row['vmid']}/config")
        except NotFound:
            return None
        return config

    def _current(self, row: Mapping[str, Any], config: Mapping[str, Any], mark: Mark) -> Current:
        disk, nic = parse(str(config.get("scsi0", "")), "volume"), parse_nic(str(config.get("net0", "")))
        fields: dict[str, Any] = {
            "image": mark.checksum,
            "storage": disk.get("volume", "").partition(":")[0],
            "cores": int(config.get("cores", 1)),
            "memory": show_size(int(parse(str(config.get("memory", 512)), "current")["current"]) * MIB),
            "cpu": parse(str(config.get("cpu", "")), "type").get("type", ""),
            "tags": [tag for tag in identity.tags_of(config) if tag != TAG],
            "bridge": nic.get("bridge", ""),
            "vlan": int(nic.get("tag", 0)),
            "id": int(row["vmid"]),
            "node": str(row["node"]),
        }
        if disk.get("size"):
            fields["disk"] = show_size(parse_size(disk["size"], 1))
        incomplete = ""
        if not mark.complete or not config.get("template") or config.get("lock") == "create":
            incomplete = f"guest {row['vmid']} on {row['node']} was being made of {mark.image} when its run ended"
        return Current(
            mark.key,
            fields,
            # The uuid follows from the name; Proxmox draws a generation id for each guest that is made.
            {"uuid": mark.uuid, "id": int(row["vmid"]), "generation": str(config.get("vmgenid", ""))},
            revision=str(config.get("digest", "")),
            owned=mark.platform == self.platform,
            incomplete=incomplete,
        )

    def _in_use(self, items: Sequence[Current]) -> set[str]:
        """Those whose disk a linked clone stands on; Proxmox would refuse to remove them."""
        used = set()
        for item in items:
            if item.incomplete:
                continue
            path = f"/nodes/{item.fields['node']}/storage/{item.fields['storage']}/content"
            base = f"base-{item.fields['id']}-"
            for volume in self.session.pve.get(path, content="images"):
                if base in str(volume["volid"]) and volume.get("vmid") != item.fields["id"]:
                    used.add(item.key)
        return used

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        for guest in self.cluster.foreign:
            yield (
                f"template {guest}: what has this name was not made by this collection, or is a copy of what was; "
                "it is not touched: rename or remove it, or give the template another name or version"
            )
        new = [item for item in desired if item.present and item.key not in current and "bridge" in item.fields]
        nodes = sorted({self.cluster.wanted[item.key].node for item in new})
        bridges = dict(zip(nodes, self.session.each(self._bridges, nodes), strict=True))
        for item in new:
            node = self.cluster.wanted[item.key].node
            if item.fields["bridge"] not in bridges[node]:
                yield (
                    f"template {item.key}: node {node} has no bridge {item.fields['bridge']}; {_are(bridges[node])}. "
                    "Proxmox would only say so when a machine is started"
                )

    def _bridges(self, node: str) -> list[str]:
        return sorted(str(row["iface"]) for row in self.session.pve.get(f"/nodes/{node}/network", type="any_bridge"))

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del desired
        for item in current.values():
            if item.incomplete and " (unfinished" in item.key and not self.prune:
                yield f"template {item.key}: two runs made it at once, and this one broke off; prune removes it"
            if self.prune and item.needs:
                yield f"template {item.key} is kept: linked clones stand on its disk"


def _kept(item: Current) -> Current:
    return replace(item, owned=False, needs=frozenset({"linked clones"}))


def _one_each(found: Sequence[Current]) -> list[Current]:
    """Torsos beside the one that is meant get names of their own; two whole ones are for a human to judge."""
    best: dict[str, Current] = {}
    for item in sorted(found, key=lambda item: (bool(item.incomplete), item.fields["id"])):
        best.setdefault(item.key, item)
    return [
        item
        if item is best[item.key] or not item.incomplete
        else replace(item, key=f"{item.key} (unfinished, id {item.fields['id']})")
        for item in found
    ]


def there(plan: Plan, result: Result | None) -> dict[str, Any]:
    """The templates of the set that exist now, for the task that makes machines of them."""
    found = [outcome.after for outcome in result.outcomes] if result else [change.current for change in plan.changes]
    wanted = {change.key for change in plan.changes if change.desired.present}
    return {
        "templates": [
            {"template": item.key.partition(" ")[0], "node": item.fields["node"], "id": item.fields["id"]}
            for item in found
            if item is not None and item.key in wanted and not item.incomplete
        ]
    }


def everything(session: Session) -> dict[str, Any]:
    """Every template of ours, whoever made it, and the newest complete one of each name."""
    cluster = Cluster()
    found = []
    for item in Templates(session, cluster, "").read([]):
        config = cluster.configs[item.fields["id"]]
        mark = mark_of(config)
        if mark is None:
            continue
        made = parse(str(config.get("meta", "")), "creation-qemu").get("ctime", "0")
        found.append(
            {
                "template": mark.full,
                "name": mark.name,
                "version": mark.version,
                "platform": mark.platform,
                "node": item.fields["node"],
                "id": item.fields["id"],
                "storage": item.fields["storage"],
                "disk": item.fields.get("disk", ""),
                "checksum": mark.checksum,
                "shared": mark.place == SHARED,
                "complete": not item.incomplete,
                "made": int(made),
            }
        )
    found.sort(key=lambda row: (row["name"], row["made"], row["template"], row["node"]))
    return {"templates": found, "latest": {row["name"]: row["template"] for row in found if row["complete"]}}
