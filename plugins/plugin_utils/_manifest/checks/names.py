# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Names: what hosts, groups and each system refuse, and references to people and teams."""

from __future__ import annotations

import re
import zoneinfo
from typing import Any

from ..errors import Path, did_you_mean
from ..platform import RESERVED, group_name
from .context import Context

_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_TAINT = re.compile(r"(?P<key>[^=:]+)(?:=(?P<value>[^:]*))?:(?P<effect>.+)")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GOOGLE_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_FORBIDDEN_IN_PROJECT = ("google", "null", "undefined", "ssl")


def check(context: Context) -> None:
    _hosts_and_groups(context)
    _kubernetes_words(context)
    _systems(context)
    _people(context)
    _timezone(context)


def _hosts_and_groups(context: Context) -> None:
    manifest, platform = context.manifest, context.platform
    roles = {function.name: function.groups for function in platform.functions}
    for section in ("machines", "servers"):
        for name in getattr(manifest, section):
            path = (section, name)
            group = group_name(name)
            if (group in RESERVED or group in roles or group.startswith("hypervisors_")) and name not in roles.get(
                group, ()
            ):
                what = f"'{name}' is the name of a group with a meaning of its own"
                context.error(path, what, "another name", f"did you mean my-{name}?", key=True)
            longest = f"{name}-{_most(manifest, section, name)}"
            if len(longest) > 63:
                what = f"the host name {longest} would have {len(longest)} characters"
                context.error(
                    path, what, "at most 63, as DNS, Linux and Proxmox allow", "shorten the group's name", key=True
                )
            elif len(f"{longest}.{manifest.platform.domain}") > 253:
                what = f"{longest}.{manifest.platform.domain} would be longer than 253 characters"
                context.error(path, what, "a shorter name or domain", key=True)
            if section == "servers" and name in manifest.machines:
                what = f"'{name}' is the name of a machine group as well"
                context.error(path, what, "one group of a name", f"did you mean {name}-server?", key=True)
    groups = {group_name(name) for name in platform.host_groups} | {*roles, *RESERVED}
    hosts: dict[str, str] = {}
    for host in platform.hosts:
        if host.kind == "hypervisor":
            if host.name in groups:
                node: Path = ("hypervisors", "nodes", host.name)
                context.error(node, f"'{host.name}' is the name of a group as well", "a host name of its own", key=True)
            hosts[host.name] = "hypervisor"
        elif hosts.get(host.name) == "hypervisor":
            node = ("hypervisors", "nodes", host.name)
            what = f"'{host.name}' is also machine {host.number} of the group {host.group}"
            context.error(node, what, "a host name of its own", key=True)
    names = {host.name for host in platform.hosts}
    for name in manifest.clouds:
        if name in names or group_name(name) in groups or name.startswith("clouds"):
            what = f"'{name}' is the name of a {'host' if name in names else 'group'} as well"
            context.error(("clouds", name), what, "another name", f"did you mean my-{name}?", key=True)


def _most(manifest: Any, section: str, name: str) -> int:
    group = getattr(manifest, section)[name]
    return max(1, group.count) if section == "machines" else len(group.addresses)


def _kubernetes_words(context: Context) -> None:
    for name, group in context.manifest.machines.items():
        _labels(context, ("machines", name, "labels"), group.labels)
        for index, taint in enumerate(group.taints):
            path: Path = ("machines", name, "taints", index)
            match = _TAINT.fullmatch(taint)
            if not match or not _label_key(match["key"]) or not _label_value(match["value"] or ""):
                context.error(
                    path, f"Kubernetes refuses the taint '{taint[:60]}'", "key=value:NoSchedule or key:NoSchedule"
                )
            elif match["effect"] not in _EFFECTS:
                context.known(path, match["effect"], list(_EFFECTS), "an effect of a taint")
    for name, cloud in context.manifest.clouds.items():
        for pool, entry in getattr(cloud, "pools", {}).items():
            _labels(context, ("clouds", name, "pools", pool, "labels"), entry.labels)
    for name, app in context.manifest.apps.items():
        for key in ("variables", "secrets"):
            _variables(context, ("apps", name, key), getattr(app, key))
        for environment, entry in app.environments.items():
            _variables(context, ("apps", name, "environments", environment, "variables"), entry.variables)


def _labels(context: Context, path: Path, labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if not _label_key(key):
            wanted = "prefix/name or name: letters, digits, '-', '_', '.', a name of at most 63"
            context.error((*path, key), f"Kubernetes refuses the label '{key[:80]}'", wanted, key=True)
        elif not _label_value(value):
            wanted = "at most 63 letters, digits, '-', '_', '.'"
            context.error((*path, key), f"Kubernetes refuses the label's value '{value[:80]}'", wanted)


def _label_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(_LABEL_NAME.fullmatch(name)) and (not slash or bool(_LABEL_PREFIX.fullmatch(prefix)))


def _label_value(value: str) -> bool:
    return not value or bool(_LABEL_NAME.fullmatch(value))


def _variables(context: Context, path: Path, variables: dict[str, Any]) -> None:
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            wanted = "letters, digits and '_', not beginning with a digit"
            context.error((*path, name), f"'{name[:60]}' cannot be an environment variable", wanted, key=True)


def _systems(context: Context) -> None:
    """Limits of names that are made of two of the manifest's names."""
    manifest = context.manifest
    platform = manifest.platform.name
    for name, cloud in manifest.clouds.items():
        path = ("clouds", name)
        limit = {"gke": 40, "eks": 100, "ecs": 255, "kapsule": 63, "cloud_run": 63}[cloud.kind]
        full = f"{platform}-{name}"
        if len(full) > limit:
            what = f"the name {full} would have {len(full)} characters"
            context.error(
                path, what, f"at most {limit}, the limit of {cloud.kind}", "shorten one of the two names", key=True
            )
        project = getattr(cloud, "project", None)
        if cloud.kind in ("gke", "cloud_run"):
            bad = next((word for word in _FORBIDDEN_IN_PROJECT if word in str(project)), None)
            if bad:
                context.error((*path, "project"), f"Google Cloud refuses '{bad}' in a project id", "another id")
            _google_labels(context, (*path, "labels"), cloud.labels)
    kinds = {cloud.kind for cloud in manifest.clouds.values()}
    if kinds & {"gke", "cloud_run"}:
        _google_labels(context, ("platform", "labels"), manifest.platform.labels)
    for app in manifest.apps:
        # A load balancer's target group is called <platform>-<app>-<colour>.
        if "ecs" in kinds and len(f"{platform}-{app}-b") > 32:
            what = f"the target group {platform}-{app}-b would have more than 32 characters"
            context.error(("apps", app), what, "at most 32, the limit of AWS", "shorten the app's name", key=True)
        if "cloud_run" in kinds and len(app) > 49:
            context.error(
                ("apps", app), f"the name has {len(app)} characters", "at most 49, the limit of Cloud Run", key=True
            )
    for environment in manifest.delivery.environments:
        for app in manifest.apps:
            if len(f"{app}-{environment}") > 63:
                what = f"the Kubernetes name {app}-{environment} would have more than 63 characters"
                context.error(("delivery", "environments", environment), what, "shorter names", key=True)


def _google_labels(context: Context, path: Path, labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if not _GOOGLE_LABEL.fullmatch(value):
            wanted = "at most 63 lower-case letters, digits, '-' and '_'"
            hint = f"did you mean {value.lower()}?" if _GOOGLE_LABEL.fullmatch(value.lower()) else ""
            context.error((*path, key), f"Google Cloud refuses the label's value '{value[:80]}'", wanted, hint)


def _people(context: Context) -> None:
    manifest = context.manifest
    people, teams = context.names("people"), context.names("teams")
    if people and manifest.access.openvpn is not None:
        for index, person in enumerate(manifest.access.openvpn.people):
            context.known(("access", "openvpn", "people", index), person, people, "one of the people")
    if manifest.access.openvpn is not None:
        for person in manifest.access.openvpn.reissue:
            let_in = manifest.access.openvpn.people
            context.known(("access", "openvpn", "reissue", person), person, let_in, "one of those with a profile")
    for name, team in manifest.teams.items():
        for index, person in enumerate(team.people):
            context.known(("teams", name, "people", index), person, people, "one of the people")
    for name, entry in manifest.people.items():
        for index, team_name in enumerate(entry.teams):
            context.known(("people", name, "teams", index), team_name, teams, "one of the teams")
    for name, app in manifest.apps.items():
        if app.team is not None:
            context.known(("apps", name, "team"), app.team, teams, "one of the teams")
    for name, environment in manifest.delivery.environments.items():
        for index, approver in enumerate(environment.approvers):
            if people or teams:
                path = ("delivery", "environments", name, "approvers", index)
                context.known(path, approver, people + teams, "one of the people or teams")


def _timezone(context: Context) -> None:
    """Only a warning: the machines' list of zones counts, not that of whoever runs this."""
    name = context.manifest.platform.timezone
    if not context.written("platform", "timezone") or _known_zone(name) or not _known_zone("Europe/Paris"):
        return
    hint = did_you_mean(name, zoneinfo.available_timezones())
    context.warn(("platform", "timezone"), f"no time zone '{name[:60]}' is known here", "such as Europe/Paris", hint)


def _known_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
