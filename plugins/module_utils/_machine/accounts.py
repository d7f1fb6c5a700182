# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""People's accounts on a machine, all in one step. Those that are ours carry a group; nobody else is touched."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .files import Wanted

Run = Callable[[Sequence[str]], tuple[int, str]]
PEOPLE, ADMINS = "socle-people", "socle-admins"
FIRST_OF_PEOPLE, NOBODY = 1000, 65534
NOLOGIN = "/usr/sbin/nologin"
# Nobody reads these; root may anyway.
BACKUPS = [Wanted("/etc/shadow-", group="shadow", mode=0), Wanted("/etc/gshadow-", mode=0)]
CLOSED = (NOLOGIN, "/sbin/nologin", "/bin/sync")


class AccountsError(Exception):
    """One sentence for the user."""


@dataclass(frozen=True)
class Person:
    """An account as it shall be."""

    name: str
    comment: str = ""
    admin: bool = False
    keys: tuple[str, ...] = ()

    @property
    def groups(self) -> set[str]:
        return {PEOPLE, ADMINS} if self.admin else {PEOPLE}


@dataclass(frozen=True)
class Account:
    """An account as it is."""

    name: str
    uid: int
    comment: str
    shell: str
    groups: frozenset[str]
    expired: bool


@dataclass(frozen=True)
class Step:
    """One command, and what it is for."""

    name: str
    what: str
    argv: tuple[str, ...]


def current(shadow: str) -> dict[str, Account]:
    """All accounts by name; a person's name may be taken by one that is none of ours."""
    expired = {row[0] for row in (line.split(":") for line in shadow.splitlines()) if len(row) > 7 and row[7] == "1"}
    member: dict[str, set[str]] = {}
    for group in grp.getgrall():
        for name in group.gr_mem:
            member.setdefault(name, set()).add(group.gr_name)
    return {
        entry.pw_name: Account(
            entry.pw_name,
            entry.pw_uid,
            entry.pw_gecos.split(",", maxsplit=1)[0],
            entry.pw_shell,
            frozenset(member.get(entry.pw_name, ())),
            entry.pw_name in expired,
        )
        for entry in pwd.getpwall()
    }


def plan(
    people: Sequence[Person],
    groups: set[str],
    found: dict[str, Account],
    more_groups: Sequence[str] = (),
    close_system_accounts: bool = False,
) -> list[Step]:
    """From what is there to what shall be. Who is no longer named can do nothing, and loses nothing."""
    wanted = {PEOPLE, ADMINS, *more_groups}
    steps = [Step(group, "new group", ("groupadd", "--system", group)) for group in sorted(wanted - groups)]
    for person in people:
        account = found.get(person.name)
        if account is None:
            argv = ("useradd", "--create-home", "--shell", "/bin/bash", "--comment", person.comment)
            steps.append(Step(person.name, "new", (*argv, "--groups", ",".join(sorted(person.groups)), person.name)))
            continue
        if PEOPLE not in account.groups:
            raise AccountsError(
                f"The account {person.name} (uid {account.uid}) is there already and is none of ours. Name the person "
                f"differently, or hand the account over: usermod --append --groups {PEOPLE} {person.name}"
            )
        if account.comment != person.comment:
            steps.append(Step(person.name, "name", ("usermod", "--comment", person.comment, person.name)))
        if account.groups != person.groups:
            steps.append(
                Step(person.name, "groups", ("usermod", "--groups", ",".join(sorted(person.groups)), person.name))
            )
        if account.expired:
            steps.append(Step(person.name, "back", ("usermod", "--expiredate", "", person.name)))
    for account in found.values():
        daemon = 0 < account.uid < FIRST_OF_PEOPLE or account.uid == NOBODY
        if close_system_accounts and daemon and account.shell not in CLOSED:
            steps += [Step(account.name, "no shell", ("usermod", "--shell", NOLOGIN, account.name))]
    named = {person.name for person in people}
    for account in found.values():
        if PEOPLE in account.groups and account.name not in named:
            if account.groups != {PEOPLE}:
                steps.append(Step(account.name, "no groups", ("usermod", "--groups", PEOPLE, account.name)))
            if not account.expired:
                steps.append(Step(account.name, "closed", ("usermod", "--expiredate", "1", account.name)))
                steps.append(Step(account.name, "logged out", ("pkill", "--signal", "KILL", "--uid", str(account.uid))))
    return steps


def key_files(people: Sequence[Person], folder: str) -> list[Wanted]:
    """The keys of each, out of reach of the person: who has lost access cannot have left a key behind."""
    files = [Wanted(folder, state="directory", mode=0o755)]
    for person in people:
        lines = "".join(f"{key.strip()}\n" for key in person.keys)
        files.append(Wanted(f"{folder}/{person.name}", content=lines))
    return files


def apply(steps: Sequence[Step], run: Run) -> None:
    for step in steps:
        code, said = run(step.argv)
        # pkill says 1 when there was nobody.
        if code and not (step.argv[0] == "pkill" and code == 1):
            raise AccountsError(f"The account {step.name}: `{' '.join(step.argv)}` failed ({code}): {said}")
