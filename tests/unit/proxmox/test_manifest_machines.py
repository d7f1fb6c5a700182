# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a manifest to the variables of the Proxmox roles, and to machines as the module takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.filter.proxmox_machines import proxmox_machines
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import Inventory, inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

NETWORK = {"rack": "10.10.0.0/16", "vlan": 100, "mtu": 1400, "dns": ["9.9.9.9"]}
MANIFEST: dict[str, Any] = {
    "plugin": "socle.platform.manifest",
    "platform": {"name": "cater", "domain": "cater.example.org"},
    "hypervisors": {
        "cluster": "cater",
        "network": NETWORK,
        "nodes": {
            "compute1": {"address": "203.0.113.11", "interface": "eno2"},
            "storage1": {"address": "203.0.113.21", "role": "storage"},
        },
    },
    "machines": {
        "worker": {"count": 2, "on": "compute", "cores": 4, "memory": "16 GiB", "disk": "80 GiB", "tags": ["k8s"]},
        "gluster": {"on": "storage1", "data_disk": "500 GiB", "storage": "slow"},
        "vpn": {"on": "compute", "public": True, "public_addresses": ["203.0.113.50"]},
        "edge": {"public": True, "start": False},
    },
}


def mapped(folder: Path, **hypervisors: Any) -> Inventory:
    path = folder / "platform.socle.yml"
    path.write_text(yaml.safe_dump({**MANIFEST, "hypervisors": {**MANIFEST["hypervisors"], **hypervisors}}))
    result = validate_file(str(path))
    assert result.ok, result.errors
    return inventory(result.platform, str(path))


def machines(made: Inventory) -> dict[str, dict[str, Any]]:
    """As a playbook makes them: variables of groups under those of the host."""
    groups: dict[str, list[str]] = {name: list(members) for name, members in made.members.items()}
    for name in ("hypervisors", "machines"):
        groups[name] = [host for child in made.children[name] for host in made.members[child]]
    hostvars = {}
    for group in made.children["machines"]:
        for host in made.members[group]:
            hostvars[host] = {**made.everywhere, **made.groups["machines"], **made.groups[group], **made.hosts[host]}
    found = proxmox_machines(list(hostvars), hostvars, groups, "ops", ["ssh-ed25519 AAAA"])
    return {machine["name"]: machine for machine in found}


def test_a_machine_is_what_the_manifest_says(tmp_path: Path) -> None:
    """Would catch a unit lost on the way, an address without its prefix, a machine on the wrong nodes."""
    found = machines(mapped(tmp_path))
    assert found["worker-1"] == {
        "name": "worker-1",
        "id": 1048001,
        "group": "worker",
        "nodes": ["compute1"],
        "template": "debian-13-20261001-2618",
        "storage": "local-lvm",
        "cores": 4,
        "memory": "16384 MiB",
        "disks": [{"size": "81920 MiB", "storage": "local-lvm"}],
        "nics": [{"bridge": "vmbr1", "address": "10.10.48.1/16", "mtu": 1400, "gateway": "10.10.0.1"}],
        "cloud_init": {
            "user": "ops",
            "ssh_keys": ["ssh-ed25519 AAAA"],
            "nameservers": ["9.9.9.9"],
            "search_domains": ["cater.example.org"],
        },
        "tags": ["k8s"],
        "pool": "cater",
        "started": True,
    }
    assert found["gluster-1"]["nodes"] == ["storage1"]
    assert [disk["storage"] for disk in found["gluster-1"]["disks"]] == ["slow", "slow"]
    assert found["edge-1"]["nodes"] == ["compute1", "storage1"] and found["edge-1"]["started"] is False


def routes(machine: dict[str, Any]) -> list[dict[str, Any]]:
    return [nic for nic in machine["nics"] if nic.get("gateway") or nic["address"] == "dhcp"]


PUBLIC = {"public_network": "203.0.113.0/24", "public_gateway": "203.0.113.254", "public_bridge": "vmbr7"}


@pytest.mark.parametrize("gateway", [None, "10.10.0.9"])
@pytest.mark.parametrize("public", [{}, {"public_gateway": "203.0.113.254"}, PUBLIC])
def test_a_machine_has_one_default_route(tmp_path: Path, gateway: str | None, public: dict[str, str]) -> None:
    """Would catch two gateways: the answer to half of the packets would go out by the wrong one."""
    found = machines(mapped(tmp_path, network={**NETWORK, **public, **({"gateway": gateway} if gateway else {})}))
    for machine in found.values():
        assert len(routes(machine)) == 1, machine["nics"]
    assert routes(found["worker-1"]) == [found["worker-1"]["nics"][0]]
    assert routes(found["worker-1"])[0]["gateway"] == (gateway or "10.10.0.1")


def test_a_public_machine_goes_out_of_the_public_side(tmp_path: Path) -> None:
    """Would catch an answer to the Internet that leaves by the rack, a public network taken for one address."""
    found = machines(mapped(tmp_path, network={**NETWORK, **PUBLIC}))["vpn-1"]["nics"]
    assert found == [
        {"bridge": "vmbr1", "address": "10.10.88.1/16", "mtu": 1400},
        {"bridge": "vmbr7", "address": "203.0.113.50/24", "gateway": "203.0.113.254"},
    ]
    # A provider that routes single addresses has a gateway outside of them.
    alone = machines(mapped(tmp_path, network={**NETWORK, "public_gateway": "198.51.100.254"}))["vpn-1"]["nics"]
    assert alone[1] == {"bridge": "vmbr0", "address": "203.0.113.50/32", "gateway": "198.51.100.254"}
    unsaid = machines(mapped(tmp_path))["vpn-1"]["nics"]
    assert unsaid[0]["gateway"] == "10.10.0.1" and unsaid[1] == {"bridge": "vmbr0", "address": "203.0.113.50/32"}


def test_a_rack_without_a_router_gives_no_gateway(tmp_path: Path) -> None:
    """Would catch a default route to an address that nobody has."""
    made = mapped(tmp_path, network={**NETWORK, **PUBLIC, "gateway": "none"})
    found = machines(made)
    assert made.groups["machines"]["socle_rack"]["gateway"] is None
    assert routes(found["worker-1"]) == []
    assert routes(found["vpn-1"]) == [found["vpn-1"]["nics"][1]] and len(routes(found["edge-1"])) == 1


def test_images_become_templates_and_machines_ask_for_them_by_their_whole_names(tmp_path: Path) -> None:
    """Would catch machines that ask for a template that nobody makes, and an image that nobody uses."""
    made = mapped(tmp_path)
    (image,) = made.groups["hypervisors"]["proxmox_platform_templates"]
    assert image["name"] == "debian-13" and image["checksum"].startswith("sha512:")
    assert machines(made)["worker-1"]["template"] == f"debian-13-{image['version']}"
    (storage,) = made.groups["hypervisors"]["proxmox_platform_image_storages"]
    assert (storage["content"], image["image_storage"]) == (["import"], storage["name"])

    ubuntu = {"url": "https://images.example.org/noble.img", "checksum": "sha256:" + "0123456789ab" + "c" * 52}
    made = mapped(tmp_path, template="ubuntu", templates={"ubuntu": ubuntu}, storage="fast", images="common")
    assert made.groups["hypervisors"]["proxmox_platform_templates"] == [
        {**ubuntu, "name": "ubuntu", "version": "0123456789ab", "storage": "fast", "image_storage": "common"}
    ]
    assert machines(made)["worker-1"]["template"] == "ubuntu-0123456789ab"
    assert "proxmox_platform_image_storages" not in made.groups["hypervisors"]


@pytest.mark.parametrize("there", [{"templates": {"debian-13": {}}}, {"template": "golden"}])
def test_a_template_that_is_there_already_is_not_made(tmp_path: Path, there: dict[str, Any]) -> None:
    """Would catch an image fetched beside somebody's own template, and machines that do not use it."""
    made = mapped(tmp_path, **there)
    assert "proxmox_platform_templates" not in made.groups["hypervisors"]
    assert machines(made)["worker-1"]["template"] == there.get("template", "debian-13")


def test_managers_close_the_nodes_to_all_others(tmp_path: Path) -> None:
    """Would catch a firewall that shuts out the nodes themselves, or one that is switched on though nobody asked."""
    assert "proxmox_platform_firewall" not in mapped(tmp_path).groups["hypervisors"]
    made = mapped(tmp_path, managers=["198.51.100.0/24"]).groups["hypervisors"]["proxmox_platform_firewall"]["cluster"]
    assert made["options"] == {"enable": True, "policy_in": "DROP"}
    (ipset,) = made["ipsets"]
    assert ipset["name"] == "management"
    members = [member["cidr"] for member in ipset["members"]]
    assert members == ["198.51.100.0/24", "10.10.0.0/16", "203.0.113.11", "203.0.113.21"]


def test_the_vote_from_outside_reaches_its_role(tmp_path: Path) -> None:
    """Would catch a QDevice that the manifest names and nobody sets up."""
    assert mapped(tmp_path, qdevice="203.0.113.99").groups["hypervisors"]["proxmox_node_qdevice"] == "203.0.113.99"


def test_the_cluster_is_joined_over_the_rack_and_reached_from_outside(tmp_path: Path) -> None:
    """Would catch cluster traffic on the public network, or an API asked where it is not reached from here."""
    variables = mapped(tmp_path).groups["hypervisors"]
    assert variables["proxmox_platform_nodes"] == [
        {"name": "compute1", "api_host": "203.0.113.11:8006", "links": ["10.10.10.1"]},
        {"name": "storage1", "api_host": "203.0.113.21:8006", "links": ["10.10.20.1"]},
    ]
    assert variables["proxmox_platform_reach"]["storage1"] == "203.0.113.21:8006"
    assert variables["proxmox_platform_networks"] == [
        {
            "name": "compute1",
            "interfaces": [
                {
                    "name": "vmbr1",
                    "type": "bridge",
                    "ports": ["eno2.100"],
                    "address": "10.10.10.1/16",
                    "autostart": True,
                    "mtu": 1400,
                }
            ],
        }
    ], "only where the manifest says which interface it is"


def test_a_token_of_ones_own_is_used_and_none_is_made(tmp_path: Path) -> None:
    """Would catch making a user and a token that nobody asked for."""
    token = {"api": {"token": {"secret": "proxmox/mine#token"}, "port": 443, "ca_file": "ca.pem"}}
    variables = mapped(tmp_path, **token).groups["hypervisors"]
    assert variables["proxmox_platform_token"].secret == "proxmox/mine#token"
    assert variables["proxmox_platform_token_secret"] == ""
    assert variables["proxmox_platform_ca_path"] == "ca.pem"
    assert variables["proxmox_platform_api_host"][0] == "203.0.113.11:443"


@pytest.mark.parametrize("install", [None, True, False])
def test_servers_that_are_nodes_already_are_left_alone(tmp_path: Path, install: bool | None) -> None:
    """Would catch Proxmox being installed where the manifest says that it is there, or not where nothing is said."""
    made = mapped(tmp_path, **({} if install is None else {"install": install}))
    assert made.groups["hypervisors"]["socle_install_nodes"] is (install is not False)


@pytest.mark.parametrize("role", ["proxmox_node", "proxmox_platform"])
def test_every_variable_is_one_that_its_role_documents(tmp_path: Path, root: Path, role: str) -> None:
    """Would catch a variable that nothing reads, or one that was renamed on one side only."""
    made = mapped(tmp_path, managers=["198.51.100.0/24"], qdevice="203.0.113.99")
    spec = yaml.safe_load((root / "roles" / role / "meta" / "argument_specs.yml").read_text())
    known = set(spec["argument_specs"]["main"]["options"])
    given = {name for part in (made.groups["hypervisors"], *made.hosts.values()) for name in part}
    assert {name for name in given if name.startswith(f"{role}_")} <= known


def test_a_host_that_is_no_machine_is_named(tmp_path: Path) -> None:
    """Would catch a KeyError for a host that somebody put into the group by another inventory."""
    with pytest.raises(AnsibleFilterError, match="stranger is in the group machines"):
        proxmox_machines(["stranger"], {"stranger": {}}, {})
    rack = {"socle_machine": {"group": "x"}, "socle_rack": {"bridge": "b"}, "socle_on": "gpu"}
    one = {"disk_mib": 1, "cores": 1, "memory_mib": 1, "group": "x"}
    with pytest.raises(AnsibleFilterError, match="a-1 is to lie on gpu, and no hypervisor has that name or role: n1"):
        proxmox_machines(["a-1"], {"a-1": {**rack, "socle_machine": one}}, {"hypervisors": ["n1"]})
