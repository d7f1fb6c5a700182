# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""High availability: which guests are watched, and by which rules they are placed."""

from __future__ import annotations

from typing import Any

from .errors import fail
from .routes import Call, index, route
from .validate import split_list
from .world import Task, sha1

index("/cluster/ha", "resources", "groups", "rules", "status", key="id")
index("/cluster/ha/status", "current", "manager_status")
_CHANGED = "detected modified configuration - file changed by other user? Try again."
_GONE = "cannot {doing}: ha groups have been migrated to rules"
R = "/cluster/ha/resources"


def _sid(call: Call) -> str:
    sid = call.params["sid"]
    if sid.isdigit():
        if int(sid) not in call.site.guests:
            raise fail(f"unable to detect SID from VMID - VM/CT {sid} does not exist")
        return f"vm:{sid}"
    return str(sid)


def _exists(call: Call, sid: str) -> bool:
    kind, _unused, vmid = sid.partition(":")
    return kind == "vm" and vmid.isdigit() and int(vmid) in call.site.guests


def _row(call: Call, sid: str, conf: dict[str, Any]) -> dict[str, Any]:
    return {"sid": sid, "type": sid.partition(":")[0], **conf, "digest": sha1(call.site.ha["resources"])}


@route(f"GET {R}")
def list_resources(call: Call) -> Any:
    rows = [_row(call, sid, conf) for sid, conf in call.site.ha["resources"].items()]
    return [row for row in rows if call.get("type") in (None, row["type"])]


@route(f"POST {R}")
def create(call: Call) -> Any:
    sid = _sid(call)
    if not _exists(call, sid):
        raise fail(f"resource '{sid}' does not exist in cluster")
    if sid in call.site.ha["resources"]:
        raise fail(f"resource ID '{sid}' already defined")
    call.site.ha["resources"][sid] = {k: v for k, v in call.params.items() if k not in ("sid", "type")}


def _resource(call: Call) -> dict[str, Any]:
    sid = _sid(call)
    found: dict[str, Any] | None = call.site.ha["resources"].get(sid)
    if found is None:
        raise fail(f"no such resource '{sid}'")
    return found


@route(f"GET {R}/{{sid}}")
def read(call: Call) -> Any:
    return _row(call, _sid(call), _resource(call))


@route(f"PUT {R}/{{sid}}")
def update(call: Call) -> Any:
    found = _resource(call)
    digest = call.get("digest")
    if digest and digest != sha1(call.site.ha["resources"]):
        raise fail(f"update resources config failed: {_CHANGED}")
    for key in split_list(call.get("delete", "")):
        found.pop(key, None)
    found.update({k: v for k, v in call.params.items() if k not in ("sid", "delete", "digest")})


@route(f"DELETE {R}/{{sid}}")
def delete(call: Call) -> Any:
    sid = _sid(call)
    if sid not in call.site.ha["resources"]:
        raise fail(f"cannot delete service '{sid}', not HA managed!")
    del call.site.ha["resources"][sid]
    for name, rule in list(call.site.ha["rules"].items()):
        left = [item for item in split_list(rule["resources"]) if item != sid]
        if call.get("purge", 1) and len(left) < (2 if rule["type"] == "resource-affinity" else 1):
            del call.site.ha["rules"][name]
        else:
            rule["resources"] = ",".join(left)


@route(f"POST {R}/{{sid}}/migrate", f"POST {R}/{{sid}}/relocate")
def move(call: Call) -> Any:
    sid, target = _sid(call), call.params["node"]
    _resource(call)
    if target not in call.site.nodes:
        raise fail(f"no such cluster node '{target}'")
    guest = call.site.guests[int(sid.partition(":")[2])]

    def work(_task: Task) -> None:
        guest.node = target

    call.task("hamigrate", guest.vmid, work)
    return {"sid": sid, "requested-node": target}


# --- rules

RULES = "/cluster/ha/rules"


def _check_rule(call: Call, rule: dict[str, Any], doing: str) -> None:
    unmanaged = [sid for sid in split_list(rule["resources"]) if sid not in call.site.ha["resources"]]
    if unmanaged:
        raise fail(f"{doing} ha rule failed: cannot use unmanaged resource(s) {', '.join(unmanaged)}.")
    nodes = [node.partition(":")[0] for node in split_list(rule.get("nodes", ""))]
    missing = [node for node in nodes if node not in call.site.nodes]
    if missing:
        raise fail(f"{doing} ha rule failed: cannot use non-existent node(s) {', '.join(missing)}.")


def _rule_row(call: Call, name: str) -> dict[str, Any]:
    rules = call.site.ha["rules"]
    return {"rule": name, **rules[name], "digest": sha1(rules), "order": list(rules).index(name) + 1}


@route(f"GET {RULES}")
def list_rules(call: Call) -> Any:
    rows = [_rule_row(call, name) for name in call.site.ha["rules"]]
    return [
        row
        for row in rows
        if call.get("type") in (None, row["type"])
        and (not call.get("resource") or call.params["resource"] in split_list(row["resources"]))
    ]


@route(f"POST {RULES}")
def create_rule(call: Call) -> Any:
    name = call.params["rule"]
    if name in call.site.ha["rules"]:
        raise fail(f"create ha rule failed: HA rule '{name}' already defined")
    rule = {k: v for k, v in call.params.items() if k != "rule"}
    _check_rule(call, rule, "create")
    call.site.ha["rules"][name] = rule


def _rule(call: Call) -> dict[str, Any]:
    name = call.params["rule"]
    found: dict[str, Any] | None = call.site.ha["rules"].get(name)
    if found is None:
        raise fail(f"no such ha rule '{name}'")
    return found


@route(f"GET {RULES}/{{rule}}")
def read_rule(call: Call) -> Any:
    _rule(call)
    return _rule_row(call, call.params["rule"])


@route(f"PUT {RULES}/{{rule}}")
def update_rule(call: Call) -> Any:
    rule = _rule(call)
    digest = call.get("digest")
    if digest and digest != sha1(call.site.ha["rules"]):
        raise fail(f"update ha rules failed: {_CHANGED}")
    changed = {**rule, **{k: v for k, v in call.params.items() if k not in ("rule", "delete", "digest")}}
    for key in split_list(call.get("delete", "")):
        changed.pop(key, None)
    _check_rule(call, changed, "update")
    call.site.ha["rules"][call.params["rule"]] = changed


@route(f"DELETE {RULES}/{{rule}}")
def delete_rule(call: Call) -> Any:
    call.site.ha["rules"].pop(call.params["rule"], None)


# --- groups are gone, state


@route("GET /cluster/ha/groups")
def groups(_call: Call) -> Any:
    raise fail(_GONE.format(doing="index groups"))


@route("GET /cluster/ha/groups/{group}")
def read_group(_call: Call) -> Any:
    raise fail(_GONE.format(doing="read group"))


@route("POST /cluster/ha/groups", "PUT /cluster/ha/groups/{group}", "DELETE /cluster/ha/groups/{group}")
def write_group(_call: Call) -> Any:
    raise fail(_GONE.format(doing="create group"))


@route("GET /cluster/ha/status/current")
def status(call: Call) -> Any:
    node = call.node.name
    standby = not call.site.ha["resources"]
    quorum = {"id": "quorum", "type": "quorum", "node": node, "quorate": int(call.site.quorum), "status": "OK"}
    state = "standby" if standby else "armed"
    fencing = {"id": "fencing", "type": "fencing", "node": node, "armed-state": state}
    fencing["status"] = "standby (CRM watchdog standby)" if standby else "armed"
    rows: list[dict[str, Any]] = [quorum, fencing]
    for sid, conf in call.site.ha["resources"].items():
        guest = call.site.guests.get(int(sid.partition(":")[2]))
        wanted = conf.get("state", "started")
        where = guest.node if guest else node
        row = {"id": f"service:{sid}", "type": "service", "sid": sid, "node": where, "state": wanted}
        rows.append({**row, "request_state": wanted, "crm_state": wanted, "status": f"{sid} ({where}, {wanted})"})
    return rows


@route("GET /cluster/ha/status/manager_status")
def manager(call: Call) -> Any:
    return {
        "manager_status": {},
        "quorum": {"node": call.node.name, "quorate": str(int(call.site.quorum))},
        "lrm_status": {},
    }
