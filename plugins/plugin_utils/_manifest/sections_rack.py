# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Schema: the rack. Hypervisors, machines, rented servers, the way in, and shared storage."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import (
    Address,
    Interface,
    Key,
    Label,
    Network,
    OneOrMany,
    Plain,
    Range,
    Rule,
    Secret,
    Section,
    Size,
    Text,
    address_or_none,
    matching,
)
from .pydantic_guard import Field

Port = Annotated[int, Field(ge=1, le=65535)]
Moment = Annotated[
    str,
    matching(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9](?:T[0-2][0-9]:[0-5][0-9]Z)?",
        "a day such as 2026-11-30, or a moment such as 2026-11-30T12:00Z",
    ),
]
StorageId = Annotated[str, matching(r"[A-Za-z][A-Za-z0-9_.-]{0,98}[A-Za-z0-9]", "the name of a Proxmox storage")]
Tag = Annotated[
    str, matching(r"[a-z0-9_][a-z0-9_+.-]{0,63}", "a Proxmox tag: lower-case letters, digits, '_', '+', '.', '-'")
]
# pve-cluster takes at most 15 characters.
ClusterName = Annotated[
    str,
    matching(
        r"[A-Za-z](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?", "a Proxmox cluster's name: at most 15 letters, digits and '-'"
    ),
]

TemplateName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,38}[A-Za-z0-9])?", "a template's name: at most 40 letters, digits, '-' and '.'"
    ),
]
ImageUrl = Annotated[str, matching(r"https?://[^\s/]+/\S+", "the URL of an image, by http or https")]
_DIGITS = {"sha256": 64, "sha512": 128}
Checksum = Annotated[
    str,
    matching(
        "|".join(f"{kind}:[0-9a-f]{{{count}}}" for kind, count in _DIGITS.items()),
        "a checksum: sha256: or sha512:, and all of its digits in lower case",
    ),
]
Gateway = Annotated[str, Rule(address_or_none, {"type": "string", "pattern": "^([0-9.]+|none)$"})]


class RackNetwork(Section):
    """The provider's private network that joins the servers."""

    rack: Network = Field(
        description="The network; addresses of nodes and machines are derived in it.", examples=["10.10.0.0/16"]
    )
    bridge: Interface = Field(default="vmbr1", description="The bridge on each hypervisor.")
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = Field(
        default=None, description="The VLAN tag, when the provider needs one."
    )
    gateway: Gateway | None = Field(
        default=None,
        description="The gateway; the network's first address when not said, `none` where the rack has none.",
    )
    dns: list[Address] = Field(default=[], description="Name servers of the machines.")
    mtu: Annotated[int, Field(ge=576, le=65520)] | None = Field(
        default=None, description="The MTU, when it is not the default."
    )
    public_bridge: Interface = Field(default="vmbr0", description="The bridge of the public side.")
    public_network: Network | None = Field(
        default=None,
        description="The network that public addresses of machines are in; each stands for itself when not said.",
        examples=["203.0.113.0/24"],
    )
    public_gateway: Address | None = Field(
        default=None,
        description="The gateway of the public side: machines with a public address go out through it instead of the "
        "rack's.",
    )


class CloudImage(Section):
    """A template of machines, made of a cloud image."""

    url: ImageUrl | None = Field(
        default=None, description="Where the nodes fetch the image; a template without one is there already."
    )
    checksum: Checksum | None = Field(default=None, description="The image's checksum; needed with `url`.")
    version: TemplateName | None = Field(
        default=None,
        description="Which one it is; the first digits of the checksum when not said. It is part of the template's "
        "name: a new one makes a new template, and machines keep theirs.",
    )


class HypervisorNode(Section):
    """One bare server."""

    address: Address = Field(description="Its public address.", examples=["203.0.113.11"])
    role: Key = Field(
        default="compute",
        description="What it is strong in; machines name it in `on`.",
        examples=["compute", "storage"],
    )
    rack_address: Address | None = Field(
        default=None, description="Its address in the rack network; derived from its name when not said."
    )
    interface: Interface | None = Field(default=None, description="The interface of the private network.")
    cores: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="Its cores, when machines are to be checked against them."
    )
    memory: Size | None = Field(default=None, description="Its memory, when machines are to be checked against it.")


class ProxmoxApi(Section):
    """How the Proxmox API is reached."""

    port: Port = Field(default=8006, description="The port.")
    user: Plain = Field(default="socle@pve", description="The user.")
    token: Text | None = Secret("The API token; made and kept in the secrets backend when not said.", default=None)
    ca_file: Text | None = Field(default=None, description="The CA of the API's certificate.")


class HypervisorsSection(Section):
    """The bare servers: a Proxmox VE cluster."""

    kind: Literal["proxmox"] = Field(default="proxmox", description="The hypervisor.")
    cluster: ClusterName = Field(description="The cluster's name.")
    network: RackNetwork = Field(description="The private network.")
    nodes: Annotated[dict[Label, HypervisorNode], Field(min_length=1)] = Field(description="The servers by name.")
    storage: StorageId = Field(default="local-lvm", description="Where disks of machines lie.")
    template: Plain = Field(default="debian-13", description="The template of machines.")
    templates: dict[TemplateName, CloudImage] = Field(
        default={},
        description="Templates by name. `debian-13` and `debian-12` are known, and made when machines use them; "
        "`debian-13: {}` uses one that is there already.",
    )
    images: StorageId | None = Field(
        default=None,
        description="The storage, with content `import`, that images are put on; when not said, `socle-images` is made "
        "on each node.",
    )
    overcommit: Annotated[float, Field(ge=1, le=16)] = Field(
        default=4.0, description="How many cores of machines a core of a hypervisor may carry."
    )
    first_id: Annotated[int, Field(ge=100, le=500_000_000)] | None = Field(
        default=None, description="What VM ids are counted from, when two platforms share a cluster."
    )
    api: ProxmoxApi = Field(default_factory=ProxmoxApi, description="How the API is reached.")
    ssh_user: Plain = Field(default="root", description="The user of SSH.")
    install: bool = Field(
        default=True,
        description="Whether Proxmox VE is installed on the servers and kept over SSH. `false` for servers that are "
        "nodes already: they are asked through the API alone.",
    )
    qdevice: Address | None = Field(
        default=None,
        description="A server outside of the cluster that gives an even number of nodes one more vote.",
    )
    managers: list[Network] = Field(
        default=[],
        description="Networks that the nodes are managed from. When there are any, the nodes' firewall is switched on, "
        "and only these, the rack and the nodes themselves come in.",
    )


class MachineGroup(Section):
    """Machines of one kind: `worker` with `count: 4` gives worker-1 to worker-4."""

    count: Annotated[int, Field(ge=0, le=5000)] = Field(default=1, description="How many.")
    on: OneOrMany[Key] = Field(
        default=[],
        description="Hypervisors: a role, a node, or a list that is gone through in turn; anywhere when not said.",
        examples=["compute", ["storage", "storage", "compute"]],
    )
    cores: Annotated[int, Field(ge=1, le=512)] = Field(default=2, description="Cores of each.")
    memory: Size = Field(default="4 GiB", description="Memory of each.")
    disk: Size = Field(default="20 GiB", description="The system disk.")
    data_disk: Size | None = Field(default=None, description="A second disk for data.")
    storage: StorageId | None = Field(
        default=None, description="Where the disks lie, when not on the hypervisors' `storage`."
    )
    template: Plain | None = Field(default=None, description="The template, when not the hypervisors'.")
    public: bool = Field(default=False, description="Whether the machines also have a leg on the public side.")
    public_addresses: list[Address] = Field(default=[], description="Their public addresses, one for each machine.")
    addresses: OneOrMany[Range] = Field(
        default=[],
        description="Pins the rack addresses: machine 1 takes the first, and so on.",
        examples=["10.10.7.0/24", ["10.10.7.10-10.10.7.19"]],
    )
    ids: Annotated[int, Field(ge=100, le=999_999_999)] | None = Field(
        default=None, description="Pins the VM ids: the id of machine 1."
    )
    tags: list[Tag] = Field(default=[], description="Tags of the machines.")
    labels: dict[Plain, Plain] = Field(default={}, description="Labels of the Kubernetes nodes.")
    taints: list[Plain] = Field(
        default=[], description="Taints of the Kubernetes nodes.", examples=[["dedicated=search:NoSchedule"]]
    )
    start: bool = Field(default=True, description="Whether they run.")


class ServerGroup(Section):
    """Servers that exist already, such as rented ones: `manager` with one address gives manager-1."""

    addresses: Annotated[list[Address], Field(min_length=1, max_length=5000)] = Field(
        description="Their addresses; server 1 has the first."
    )
    user: Plain = Field(default="root", description="The user of SSH.")
    port: Port = Field(default=22, description="The port of SSH.")
    tags: list[Tag] = Field(default=[], description="Tags, for your own use.")


class SwarmSection(Section):
    """A Docker Swarm on machines or servers."""

    managers: OneOrMany[Label] = Field(default=["manager"], description="Machine or server groups that manage.")
    workers: OneOrMany[Label] = Field(default=["worker"], description="Machine or server groups that work.")
    network: Network = Field(default="10.200.0.0/16", description="The pool of overlay networks.")


class OpenVpn(Section):
    """The way in for people."""

    machines: Label = Field(default="vpn", description="The machine group of the gateways.")
    people: list[Key] = Field(
        default=[], description="Who has a profile. Whoever is taken out of the list is revoked by the next run."
    )
    reissue: dict[Key, Moment] = Field(
        default={},
        description="Whose profile was lost, and when: what is from before is revoked, and a new one is made, once.",
        examples=[{"grace": "2026-11-30"}],
    )
    network: Network = Field(default="10.8.0.0/24", description="The clients' addresses.")
    port: Port = Field(default=1194, description="The port.")
    protocol: Literal["udp", "tcp"] = Field(default="udp", description="The protocol.")
    routes: list[Network] = Field(default=[], description="Networks behind the tunnel beside the rack.")


class Opening(Section):
    """A port that is open to the outside."""

    port: Port = Field(description="The port.")
    protocol: Literal["udp", "tcp"] = Field(default="tcp", description="The protocol.")
    machines: OneOrMany[Label] = Field(description="On which machine groups.")
    sources: list[Network] = Field(default=["0.0.0.0/0"], description="Who may come in.")


class AccessSection(Section):
    """Who gets in, and how."""

    openvpn: OpenVpn | None = Field(default=None, description="OpenVPN gateways.")
    open: dict[Key, Opening] = Field(
        default={}, description="Openings of the firewall beside what the platform needs itself."
    )
    ssh_port: Port = Field(default=22, description="The port of SSH on machines.")


class GlusterVolume(Section):
    """A replicated volume."""

    size: Size = Field(description="Its size.")
    replicas: Annotated[int, Field(ge=2, le=3)] | None = Field(
        default=None, description="Copies, when not the cluster's number."
    )
    arbiter: bool | None = Field(default=None, description="Whether the third copy holds names only.")
    use: Literal["rwx", "vm"] = Field(
        default="rwx", description="What it is for: files that many machines share, or disks of virtual machines."
    )
    options: dict[Plain, Plain] = Field(default={}, description="Volume options of GlusterFS.")


class GlusterFs(Section):
    """Replicated storage on machines."""

    machines: Label = Field(default="gluster", description="The machine group of the servers.")
    replicas: Annotated[int, Field(ge=2, le=3)] = Field(default=3, description="Copies of each file.")
    arbiter: bool = Field(default=False, description="Whether the third copy holds names only (with `replicas: 2`).")
    encryption: bool = Field(default=True, description="Encrypt the bricks.")
    volumes: dict[Label, GlusterVolume] = Field(default={}, description="The volumes by name.")
    clients: OneOrMany[Label] | None = Field(
        default=None, description="Groups of machines that mount the volumes; by default the nodes of Kubernetes."
    )


class StorageSection(Section):
    """Storage that machines share."""

    glusterfs: GlusterFs | None = Field(default=None, description="GlusterFS.")
