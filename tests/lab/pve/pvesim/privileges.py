# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and what a principal may do on a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import forbidden

if TYPE_CHECKING:
    from .world import Site

_NAMES = {
    "Datastore": "Allocate AllocateSpace AllocateTemplate Audit",
    "Group": "Allocate",
    "Mapping": "Audit Modify Use",
    "Permissions": "Modify",
    "Pool": "Allocate Audit",
    "Realm": "Allocate AllocateUser",
    "SDN": "Allocate Audit Use",
    "Sys": "AccessNetwork Audit Console Incoming Modify PowerMgmt Syslog",
    "User": "Modify",
    "VM": "Allocate Audit Backup Clone Config.CDROM Config.CPU Config.Cloudinit Config.Disk Config.HWType Config.Memory"
    " Config.Network Config.Options Console GuestAgent.Audit GuestAgent.FileRead GuestAgent.FileSystemMgmt"
    " GuestAgent.FileWrite GuestAgent.Unrestricted Migrate PowerMgmt Replicate Snapshot Snapshot.Rollback",
}
ALL = frozenset(f"{group}.{name}" for group, names in _NAMES.items() for name in names.split())


def _of(group: str, *without: str) -> frozenset[str]:
    return frozenset(name for name in ALL if name.startswith(f"{group}.")) - set(without)


ROLES: dict[str, frozenset[str]] = {
    "Administrator": ALL,
    "NoAccess": frozenset(),
    "PVEAdmin": ALL
    - {
        "Mapping.Modify",
        "Permissions.Modify",
        "Realm.Allocate",
        "Sys.AccessNetwork",
        "Sys.Incoming",
        "Sys.Modify",
        "Sys.PowerMgmt",
    },
    "PVEAuditor": frozenset(name for name in ALL if name.endswith(".Audit")),
    "PVEDatastoreAdmin": _of("Datastore"),
    "PVEDatastoreUser": frozenset({"Datastore.AllocateSpace", "Datastore.Audit"}),
    "PVEMappingAdmin": _of("Mapping"),
    "PVEMappingUser": _of("Mapping", "Mapping.Modify"),
    "PVEPoolAdmin": _of("Pool"),
    "PVEPoolUser": frozenset({"Pool.Audit"}),
    "PVESDNAdmin": _of("SDN"),
    "PVESDNUser": _of("SDN", "SDN.Allocate"),
    "PVESysAdmin": frozenset({"Sys.Audit", "Sys.Console", "Sys.Syslog"}),
    "PVETemplateUser": frozenset({"VM.Audit", "VM.Clone"}),
    "PVEUserAdmin": frozenset({"Group.Allocate", "Realm.AllocateUser", "User.Modify"}),
    "PVEVMAdmin": _of("VM"),
    "PVEVMUser": frozenset(
        {
            "VM.Audit",
            "VM.Backup",
            "VM.Config.CDROM",
            "VM.Config.Cloudinit",
            "VM.Console",
            "VM.GuestAgent.Audit",
            "VM.GuestAgent.FileRead",
            "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite",
            "VM.PowerMgmt",
        }
    ),
}


def _chain(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return ["/"] + ["/" + "/".join(parts[: i + 1]) for i in range(len(parts))]


def _roles_of(site: Site, principal: str, path: str) -> dict[str, int]:
    """Role -> propagate for a user or token; the deepest path with entries wins."""
    user = site.users.get(principal, {})
    groups = set(user.get("groups", [])) if "!" not in principal else set()
    kind = "token" if "!" in principal else "user"
    found: dict[str, int] = {}
    chain = _chain(path)
    for step in chain:
        entries = site.acl.get(step, {})
        own = {r: p for (k, who, r), p in entries.items() if k == kind and who == principal}
        of_groups = {r: p for (k, who, r), p in entries.items() if k == "group" and who in groups}
        chosen = own or of_groups
        if step != path:
            chosen = {role: propagate for role, propagate in chosen.items() if propagate}
        if chosen:
            found = {"NoAccess": chosen["NoAccess"]} if "NoAccess" in chosen else chosen
    return found


def _own(site: Site, principal: str, path: str) -> dict[str, int]:
    """Privilege -> propagate, without looking at what a token's user may do."""
    out: dict[str, int] = {}
    for role, propagate in _roles_of(site, principal, path).items():
        for privilege in site.role(role):
            out[privilege] = max(out.get(privilege, 0), propagate)
    parts = path.split("/")
    if len(parts) == 3 and parts[1] in ("vms", "storage"):
        for pool, members in site.pools.items():
            belongs = (
                parts[2] in {str(vmid) for vmid in members["vms"]}
                if parts[1] == "vms"
                else parts[2] in members["storage"]
            )
            if belongs:
                for role, propagate in _roles_of(site, principal, f"/pool/{pool}").items():
                    if propagate:
                        out.update(dict.fromkeys(site.role(role), 1))
    return out


def of(site: Site, principal: str, path: str) -> dict[str, int]:
    """What a user or token holds on a path: privilege -> propagate."""
    if principal == "root@pam":
        return dict.fromkeys(sorted(ALL), 1)
    user, bang, token = principal.partition("!")
    if not site.user_enabled(user):
        return {}
    if not bang:
        return _own(site, principal, path)
    settings = site.users[user]["tokens"].get(token, {})
    of_user = of(site, user, path)
    if not settings.get("privsep", 1):
        return of_user
    return {name: propagate for name, propagate in _own(site, principal, path).items() if name in of_user}


def holds(site: Site, principal: str, path: str, privileges: tuple[str, ...], *, any_of: bool = False) -> bool:
    if principal == "root@pam":
        return True
    have = of(site, principal, path)
    return (any if any_of else all)(name in have for name in privileges)


def require(site: Site, principal: str, path: str, *privileges: str, any_of: bool = False) -> None:
    if holds(site, principal, path, privileges, any_of=any_of):
        return
    have = of(site, principal, path)
    missing = "|".join(privileges) if any_of else next(name for name in privileges if name not in have)
    raise forbidden(f"{path}, {missing}")


def _fill(path: str, params: dict[str, Any]) -> str:
    for name, value in params.items():
        path = path.replace(f"{{{name}}}", str(value))
    return path


def check(site: Site, principal: str, rule: Any, params: dict[str, Any]) -> None:
    """Raise 403 unless the endpoint's rule lets this principal pass."""
    kind = rule[0]
    if kind == "root":
        if principal != "root@pam":
            raise forbidden("user != root@pam")
    elif kind == "and":
        for part in rule[1:]:
            check(site, principal, part, params)
    elif kind == "or":
        if not any(passes(site, principal, part, params) for part in rule[1:]):
            raise forbidden()
    elif kind == "perm":
        _kind, path, names, any_of, only_with = rule
        if only_with and params.get(only_with) in (None, ""):
            raise forbidden()
        if "{pool}" in path and str(params.get("pool", "")) not in site.pools:
            raise forbidden(f"pool '{params.get('pool')}' does not exist")
        require(site, principal, _fill(path, params), *names, any_of=any_of)
    elif kind == "userid-param":
        _check_userid(site, principal, rule[1], params)
    elif kind == "userid-group":
        _check_group(site, principal, rule, params)
    elif kind == "perm-modify":
        _check_acl(site, principal, str(params.get("path", "/")))


def passes(site: Site, principal: str, rule: Any, params: dict[str, Any]) -> bool:
    from .errors import ApiError

    try:
        check(site, principal, rule, params)
    except ApiError:
        return False
    return True


def _check_userid(site: Site, principal: str, what: str, params: dict[str, Any]) -> None:
    userid = str(params.get("userid", ""))
    if what == "self":
        if principal.partition("!")[0] != userid:
            raise forbidden("userid != self")
    else:
        require(site, principal, f"/access/realm/{userid.rpartition('@')[2]}", what)


def _check_group(site: Site, principal: str, rule: Any, params: dict[str, Any]) -> None:
    _kind, names, mode = rule
    if holds(site, principal, "/access/groups", names, any_of=True):
        return
    given = str(params.get("groups", ""))
    groups = [g for g in given.replace(";", ",").split(",") if g] if mode == "create" else []
    if not groups:
        groups = list(site.users.get(str(params.get("userid", "")), {}).get("groups", []))
    if not any(holds(site, principal, f"/access/groups/{group}", names, any_of=True) for group in groups):
        raise forbidden(f"/access/groups, {'|'.join(names)}")


def _check_acl(site: Site, principal: str, path: str) -> None:
    """Who may change the ACL of a path: Permissions.Modify, or the owner's privilege of that kind of object."""
    own = {"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}
    names = ["Permissions.Modify"]
    kind = path.split("/")[1] if path.count("/") > 1 else ""
    if kind in own:
        names.append(own[kind])
    require(site, principal, path, *names, any_of=True)
