# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: GitLab's own machine, its runners' machines, and what GitLab shall hold, as a host that runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .mapping_machines import hosts_of, opening
from .platform import Platform
from .references import by_reference

if TYPE_CHECKING:
    from .mapping import Inventory

MACHINE, RUNNERS, CONFIGURATION, HOST = "gitlab", "gitlab_runners", "gitlab_configuration", "gitlab-configuration"
_ROLES = {"viewer": "reporter", "developer": "developer", "maintainer": "maintainer", "owner": "owner"}
_RANK = ("reporter", "developer", "maintainer", "owner")
_API = "{{ lookup('socle.platform.secret', 'gitlab/api#token', kind='token') }}"
_FIRST = "{{ lookup('socle.platform.secret', 'gitlab/root_password') }}"

Row = dict[str, Any]


def delivery(platform: Platform, made: Inventory) -> None:
    """Nothing, where the manifest has no GitLab."""
    gitlab = platform.manifest.delivery.gitlab
    if gitlab is None:
        return
    if gitlab.install == "machine":
        made.groups[MACHINE].update(_machine(platform))
        opening(platform, made, MACHINE, "gitlab", [22, 80, 443])
    made.group(CONFIGURATION)
    made.members[CONFIGURATION].append(HOST)
    made.hosts[HOST] = {
        "ansible_connection": "local",
        "ansible_host": "localhost",
        **{f"{CONFIGURATION}_{name}": value for name, value in _configuration(platform, made).items()},
    }
    runners = platform.manifest.delivery.runners
    if runners is not None and runners.machines is not None and runners.executor != "kubernetes":
        made.groups[RUNNERS].update(_runner_machines(platform))


def url(platform: Platform) -> str:
    return str(platform.manifest.delivery.gitlab.url or f"https://gitlab.{platform.manifest.platform.domain}").rstrip(
        "/"
    )


def group(platform: Platform) -> str:
    """The group that holds everything of this platform."""
    return str(platform.manifest.delivery.gitlab.group or platform.manifest.platform.name)


def _machine(platform: Platform) -> Row:
    manifest, gitlab = platform.manifest, platform.manifest.delivery.gitlab
    row: Row = {
        "gitlab_external_url": url(platform),
        "gitlab_version": gitlab.version or "",
        "gitlab_edition": "ee" if gitlab.premium else "ce",
        "gitlab_root_password": _FIRST,
        "gitlab_api_token": _API,
    }
    if gitlab.registry:
        row["gitlab_registry_url"] = f"https://registry.{manifest.platform.domain}"
    if gitlab.smtp is not None:
        names = ("server", "port", "user", "password", "sender")
        row["gitlab_smtp"] = {name: value for name in names if (value := getattr(gitlab.smtp, name)) is not None}
    certificates = manifest.services.certificates
    if certificates is not None and getattr(certificates, "email", None):
        row["gitlab_letsencrypt_email"] = certificates.email
    return row


def _configuration(platform: Platform, made: Inventory) -> Row:
    gitlab = platform.manifest.delivery.gitlab
    top: Row = {
        "path": group(platform),
        "visibility": "private",
        "settings": {"project_creation_level": "maintainer"},
        "members": [{"user": name, "access": access} for name, access in _people(platform).items()],
    }
    runners = _runners(platform, made)
    if runners:
        top["runners"] = runners
    row: Row = {
        "url": url(platform),
        "token": by_reference(gitlab.token, "delivery", "gitlab", "token") if gitlab.token is not None else _API,
        "groups": [top, *_teams(platform)],
        "projects": [_pipelines(platform), *_apps(platform)],
    }
    if gitlab.install == "machine":
        # On a server of our own nobody else makes accounts, and strangers shall not.
        row["settings"] = {"signup_enabled": False}
        row["users"] = [_user(platform, name) for name in _people(platform)]
    return row


def _people(platform: Platform) -> dict[str, str]:
    """The highest of what each person's teams may do."""
    manifest = platform.manifest
    found: dict[str, str] = {}
    for name, person in manifest.people.items():
        teams = [team for team, told in manifest.teams.items() if team in person.teams or name in told.people]
        roles = [_ROLES[manifest.teams[team].role] for team in teams]
        if person.admin:
            roles.append("owner")
        if roles:
            found[name] = max(roles, key=_RANK.index)
    return found


def _user(platform: Platform, name: str) -> Row:
    person = platform.manifest.people[name]
    email = str(person.email or f"{name}@{platform.manifest.platform.domain}")
    return {"name": name, "full_name": person.name or name, "email": email}


def _teams(platform: Platform) -> list[Row]:
    """A group for each team that approves something: GitLab lets groups approve, and knows no teams."""
    manifest = platform.manifest
    if not manifest.delivery.gitlab.premium:
        return []
    named = [who for told in manifest.delivery.environments.values() for who in told.approvers]
    rows = []
    for team in dict.fromkeys(name for name in named if name in manifest.teams):
        people = [name for name, person in manifest.people.items() if team in person.teams]
        people += [name for name in manifest.teams[team].people if name not in people]
        access = _ROLES[manifest.teams[team].role]
        members = [{"user": name, "access": _higher(access, _people(platform)[name])} for name in people]
        rows.append({"path": f"{group(platform)}/{team}", "members": members})
    return rows


def _higher(one: str, other: str) -> str:
    """Nobody can be less in a group than in the one above."""
    return max(one, other, key=_RANK.index)


def _pipelines(platform: Platform) -> Row:
    """What every team includes and none can change by itself."""
    return {
        "path": f"{group(platform)}/{platform.manifest.delivery.gitlab.pipelines}",
        "description": "Pipeline definitions that projects include",
        "default_branch": "main",
        "protected_branches": [{"name": "main", "push": ["nobody"], "merge": ["maintainers"]}],
        "protected_tags": [{"name": "*", "create": ["maintainers"]}],
    }


def _apps(platform: Platform) -> list[Row]:
    rows = []
    for name, app in platform.manifest.apps.items():
        path = _path(platform, name, app.repository)
        if path is None or app.image is not None:
            continue
        environments = platform.manifest.delivery.environments
        branches = _branches(platform)
        row: Row = {
            "path": path,
            "default_branch": next(iter(branches), "main"),
            "settings": {"only_allow_merge_if_pipeline_succeeds": True},
            "protected_branches": list(branches.values()) or [_branch("main", open_=True)],
            "environments": [_environment(platform, label) for label in environments],
        }
        tags = dict.fromkeys(told.tags for told in environments.values() if told.tags)
        if tags:
            row["protected_tags"] = [{"name": tag, "create": ["maintainers"]} for tag in tags]
        rows.append(row)
    return rows


def _path(platform: Platform, name: str, repository: str | None) -> str | None:
    """Where the project lies in this GitLab; None when it lies somewhere else."""
    if repository is None:
        return f"{group(platform)}/{name}"
    text = str(repository).removesuffix(".git")
    if text.startswith(f"{url(platform)}/"):
        return text.removeprefix(f"{url(platform)}/")
    return None if ":" in text else text.strip("/")


def _branches(platform: Platform) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for label, told in platform.manifest.delivery.environments.items():
        if told.branch:
            closed = told.gate != "none" or _production(label, told)
            before = found.get(told.branch)
            found[told.branch] = _branch(
                told.branch, open_=not closed and (before is None or before["push"] != ["nobody"])
            )
    return found


def _branch(name: str, *, open_: bool) -> Row:
    """What reaches users comes by a maintainer's merge only."""
    if open_:
        return {"name": name, "push": ["maintainers"], "merge": ["developers"]}
    return {"name": name, "push": ["nobody"], "merge": ["maintainers"]}


def _environment(platform: Platform, label: str) -> Row:
    told = platform.manifest.delivery.environments[label]
    row: Row = {"name": label}
    if _production(label, told):
        row["tier"] = "production"
    if platform.manifest.delivery.gitlab.premium and told.gate == "approval":
        row["deploy"] = ["maintainers"]
        row["approvals"] = {_approver(platform, who): told.approvals for who in told.approvers} or {
            "maintainers": told.approvals
        }
    return row


def _approver(platform: Platform, who: str) -> str:
    return f"group:{group(platform)}/{who}" if who in platform.manifest.teams else f"user:{who}"


def _production(label: str, told: Any) -> bool:
    if told.production is not None:
        return bool(told.production)
    return any(part in ("production", "prod", "live") for part in label.split("-"))


def _runners(platform: Platform, made: Inventory) -> list[Row]:
    runners = platform.manifest.delivery.runners
    if runners is None:
        return []
    common: Row = {"tags": list(runners.tags), "run_untagged": True}
    if runners.executor == "kubernetes" or runners.machines is None:
        # One runner, and as many pods of it as the chart is told.
        return [{"name": "kubernetes", **common}]
    return [{"name": host, **common} for host in hosts_of(made, RUNNERS)]


def _runner_machines(platform: Platform) -> Row:
    runners = platform.manifest.delivery.runners
    # In check mode a token that is not made yet is a placeholder; a real run makes none up.
    token = (
        f"{{{{ lookup('socle.platform.secret', 'gitlab/{group(platform)}/runners/' ~ inventory_hostname ~ '#token', "
        "kind='token', create=ansible_check_mode) }}"
    )
    return {
        "gitlab_runner_url": url(platform),
        "gitlab_runner_concurrent": runners.concurrent,
        "gitlab_runner_runners": [{"name": "{{ inventory_hostname }}", "executor": runners.executor, "token": token}],
    }
