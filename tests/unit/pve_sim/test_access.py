# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions really deny."""

from __future__ import annotations

from typing import Any

import pytest
from pvesim import privileges

GUEST = {"name": "web", "memory": 512, "scsi0": "local:1", "net0": "virtio,bridge=vmbr0"}


def _user(api: Any, name: str = "a@pve", **acl: str) -> Any:
    api.call("POST", "/access/users", {"userid": name, "password": "secret12"})
    for path, role in acl.items():
        api.call("PUT", "/access/acl", {"path": path, "roles": role, "users": name})
    return api.as_user(name)


def test_a_user_without_rights_reads_nothing_and_changes_nothing(api: Any) -> None:
    """Would catch a list that does not filter, or a check that comes after the effect."""
    api.call("POST", "/nodes/pve1/qemu", {"vmid": 100, **GUEST})
    user = _user(api)
    assert user.refused("GET", "/nodes/pve1/qemu/100/config") == (403, "Permission check failed (/vms/100, VM.Audit)")
    assert user.refused("DELETE", "/nodes/pve1/qemu/100")[0] == 403
    assert user.refused("POST", "/nodes/pve1/qemu", {"vmid": 101}) == (403, "Permission check failed")
    assert [row["type"] for row in user.call("GET", "/cluster/resources")] == ["node"]
    assert user.call("GET", "/nodes/pve1/qemu") == []
    assert set(api.site.guests) == {100}


def test_a_missing_guest_and_a_forbidden_one_look_the_same(api: Any) -> None:
    """Would catch an answer that tells strangers which guests exist."""
    api.call("POST", "/nodes/pve1/qemu", {"vmid": 100})
    user = _user(api)
    assert [user.refused("GET", f"/nodes/pve1/qemu/{vmid}/config")[0] for vmid in (100, 999)] == [403, 403]


def test_the_deepest_path_wins_and_noaccess_clears(api: Any) -> None:
    """Would catch inherited roles that are added to instead of replaced."""
    user = _user(api, **{"/": "PVEAdmin", "/vms/100": "PVEAuditor", "/vms/101": "NoAccess"})
    del user
    assert "VM.Config.Options" in privileges.of(api.site, "a@pve", "/vms/102")
    assert set(privileges.of(api.site, "a@pve", "/vms/100")) == privileges.ROLES["PVEAuditor"]
    assert privileges.of(api.site, "a@pve", "/vms/101") == {}


def test_a_role_that_does_not_propagate_stays_where_it_is(api: Any) -> None:
    """Would catch `propagate: 0` being ignored."""
    api.call("POST", "/access/users", {"userid": "a@pve"})
    api.call("PUT", "/access/acl", {"path": "/vms", "roles": "PVEAuditor", "users": "a@pve", "propagate": 0})
    assert privileges.of(api.site, "a@pve", "/vms/100") == {}
    assert "VM.Audit" in privileges.of(api.site, "a@pve", "/vms")


def test_a_users_own_entry_overrides_the_groups(api: Any) -> None:
    """Would catch group and user entries of one path being mixed."""
    api.call("POST", "/access/groups", {"groupid": "g"})
    api.call("POST", "/access/users", {"userid": "a@pve", "groups": "g"})
    api.call("PUT", "/access/acl", {"path": "/vms", "roles": "PVEVMAdmin", "groups": "g"})
    assert "VM.Allocate" in privileges.of(api.site, "a@pve", "/vms/100")
    api.call("PUT", "/access/acl", {"path": "/vms", "roles": "PVEAuditor", "users": "a@pve"})
    assert "VM.Allocate" not in privileges.of(api.site, "a@pve", "/vms/100")


def test_a_pools_acl_reaches_its_members_only(api: Any) -> None:
    """Would catch pool rights that reach too far or not at all."""
    for vmid in (100, 101):
        api.call("POST", "/nodes/pve1/qemu", {"vmid": vmid})
    api.call("POST", "/pools", {"poolid": "p"})
    api.call("PUT", "/pools/p", {"vms": "100", "storage": "local"})
    user = _user(api, **{"/pool/p": "PVEVMAdmin"})
    assert user.call("GET", "/nodes/pve1/qemu/100/config")["digest"]
    assert user.refused("GET", "/nodes/pve1/qemu/101/config")[0] == 403


@pytest.mark.parametrize("privsep", [0, 1])
def test_a_token_has_its_own_rights_only_within_its_users(api: Any, privsep: int) -> None:
    """Would catch privilege separation that does not separate, or a token that outgrows its user."""
    user = _user(api, **{"/vms": "PVEAuditor"})
    made = user.call("POST", "/access/users/a@pve/token/t1", {"privsep": privsep})
    token = api.as_token("a@pve!t1", made["value"])
    assert bool(privileges.of(api.site, "a@pve!t1", "/vms/100")) is not bool(privsep)
    api.call("PUT", "/access/acl", {"path": "/vms", "roles": "Administrator", "tokens": "a@pve!t1"})
    assert set(privileges.of(api.site, "a@pve!t1", "/vms/100")) == privileges.ROLES["PVEAuditor"]
    assert token.call("GET", "/version")["release"] == "9.2"


def test_a_root_token_is_not_root(api: Any) -> None:
    """Would catch root-only endpoints and options open to a token of root."""
    made = api.call("POST", "/access/users/root@pam/token/t1", {"privsep": 0})
    token = api.as_token("root@pam!t1", made["value"])
    api.call("POST", "/nodes/pve1/qemu", {"vmid": 100})
    assert (
        token.refused("POST", "/cluster/config", {"clustername": "c"})[1]
        == "Permission check failed (user != root@pam)"
    )
    assert (
        token.refused("PUT", "/nodes/pve1/qemu/100/config", {"lock": "backup"})[1] == "only root can set 'lock' config"
    )
    told = token.refused("PUT", "/nodes/pve1/qemu/100/config", {"cores": 1, "skiplock": 1})
    assert told == (400, "Parameter verification failed.")
    told = token.refused("PUT", "/nodes/pve1/qemu/100/config", {"scsi1": "local:0,import-from=/srv/image.qcow2"})
    assert told[1].startswith("Only root can pass arbitrary filesystem paths.")


def test_a_nic_needs_the_right_to_its_bridge(api: Any) -> None:
    """Would catch a guest put on a network its owner may not use."""
    api.call("POST", "/nodes/pve1/qemu", {"vmid": 100})
    user = _user(api, **{"/vms": "PVEVMAdmin"})
    nic = {"net0": "virtio,bridge=vmbr0,tag=7"}
    assert "/sdn/zones/localnetwork/vmbr0/7, SDN.Use" in user.refused("PUT", "/nodes/pve1/qemu/100/config", nic)[1]
    api.call("PUT", "/access/acl", {"path": "/sdn/zones/localnetwork/vmbr0/7", "roles": "PVESDNUser", "users": "a@pve"})
    user.call("PUT", "/nodes/pve1/qemu/100/config", nic)


def test_a_disk_needs_the_right_to_its_storage(api: Any) -> None:
    """Would catch space taken from a storage without AllocateSpace."""
    api.call("POST", "/nodes/pve1/qemu", {"vmid": 100})
    user = _user(api, **{"/vms": "PVEVMAdmin"})
    told = user.refused("PUT", "/nodes/pve1/qemu/100/config", {"scsi0": "local:1"})
    assert told == (403, "Permission check failed (/storage/local, Datastore.AllocateSpace)")


def test_a_ticket_ends_and_a_forged_one_never_works(api: Any) -> None:
    """Would catch tickets that live for ever, or a signature nobody checks."""
    from pvesim import auth

    fleet, site = api.app.fleet, api.site
    ticket = auth.ticket(site, "root@pam", fleet.clock.now())
    assert auth.ticket_user(fleet, site, ticket) == "root@pam"
    assert auth.ticket_user(fleet, site, ticket.replace("root", "boot")) is None
    fleet.clock.skip(7201)
    assert auth.ticket_user(fleet, site, ticket) is None


def test_a_write_without_the_token_against_forgery_is_refused(api: Any) -> None:
    """Would catch a cookie alone being enough to change something."""
    from urllib.parse import quote

    from pvesim import auth

    ticket = quote(auth.ticket(api.site, "root@pam", api.app.fleet.clock.now()), safe="")
    api.headers = {"cookie": f"PVEAuthCookie={ticket}"}
    assert api.send("GET", "/version").status == 200
    refused = api.send("POST", "/pools", {"poolid": "p"})
    assert (refused.status, refused.reason, refused.body) == (401, "Permission denied - invalid csrf token", b"")
    assert api.site.pools == {}
