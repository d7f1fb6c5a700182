# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and units: from what is there to what shall be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._machine import units
from ansible_collections.socle.platform.plugins.module_utils._machine.accounts import (
    ADMINS,
    PEOPLE,
    Account,
    AccountsError,
    Person,
    key_files,
    plan,
)
from hypothesis import given
from hypothesis import strategies as st

GROUPS = {PEOPLE, ADMINS}


def account(name: str, *groups: str, expired: bool = False, uid: int = 1001, program: str = "/bin/bash") -> Account:
    return Account(name, uid, "", program, frozenset(groups), expired)


def commands(*args: Any, **more: Any) -> list[str]:
    return [" ".join(step.argv) for step in plan(*args, **more)]


def test_somebody_new_gets_an_account_without_a_password() -> None:
    """Would catch an admin who is none, and an account with a password."""
    (made,) = commands([Person("ada", "Ada L.", admin=True)], GROUPS, {})
    assert made == f"useradd --create-home --shell /bin/bash --comment Ada L. --groups {ADMINS},{PEOPLE} ada"


def test_who_is_no_longer_named_can_do_nothing() -> None:
    """Would catch a group that stays, and a session that goes on."""
    found = {"ada": account("ada", PEOPLE, ADMINS)}
    assert commands([], GROUPS, found) == [
        f"usermod --groups {PEOPLE} ada",
        "usermod --expiredate 1 ada",
        "pkill --signal KILL --uid 1001",
    ]
    assert commands([], GROUPS, {"ada": account("ada", PEOPLE, expired=True)}) == []


def test_somebody_elses_account_is_never_taken() -> None:
    """Would catch a person called backup who becomes the owner of all backups."""
    with pytest.raises(AccountsError, match=r"The account backup \(uid 34\) is there already"):
        plan([Person("backup")], GROUPS, {"backup": account("backup", uid=34)})
    assert commands([], GROUPS, {"backup": account("backup", uid=34)}) == []


def test_daemons_get_no_shell_and_people_keep_theirs() -> None:
    """Would catch a closed account of root or of a person."""
    found = {
        "root": account("root", uid=0),
        "dhcpcd": account("dhcpcd", uid=100, program="/bin/false"),
        "socle": account("socle", uid=1000),
    }
    assert commands([], GROUPS, found, close_system_accounts=True) == ["usermod --shell /usr/sbin/nologin dhcpcd"]
    assert commands([], GROUPS, found) == []


names = st.sampled_from(["ada", "grace", "linus"])
people = st.lists(st.builds(Person, names, st.sampled_from(["", "X"]), st.booleans()), unique_by=lambda one: one.name)


@given(people, people)
def test_any_two_manifests_lead_to_the_second(first: list[Person], second: list[Person]) -> None:
    """Would catch somebody who comes back and stays closed, or a step that is needed each time."""
    found: dict[str, Account] = {}
    for wanted in (first, second):
        for step in plan(wanted, GROUPS, found):
            found[step.name] = after(found.get(step.name), step.argv, len(found))
        assert plan(wanted, GROUPS, found) == []
        opened = {one.name: set(one.groups) for one in found.values() if not one.expired}
        assert opened == {person.name: person.groups for person in wanted}


def after(before: Account | None, argv: tuple[str, ...], number: int) -> Account:
    """What the command does."""
    words = dict(zip(argv[1::2], argv[2::2], strict=False)) if argv[0] == "usermod" else {}
    if argv[0] == "useradd":
        groups = frozenset(argv[argv.index("--groups") + 1].split(","))
        return Account(argv[-1], 1001 + number, argv[argv.index("--comment") + 1], "/bin/bash", groups, False)
    assert before is not None
    return Account(
        before.name,
        before.uid,
        words.get("--comment", before.comment),
        before.shell,
        frozenset(words["--groups"].split(",")) if "--groups" in words else before.groups,
        words["--expiredate"] == "1" if "--expiredate" in words else before.expired,
    )


def test_keys_lie_where_their_owners_cannot_write() -> None:
    """Would catch a key in somebody's own home, where it outlives its account."""
    folder, ada = key_files([Person("ada", keys=("ssh-ed25519 A ", "ssh-ed25519 B"))], "/etc/ssh/authorized_keys.d")
    assert (folder.state, folder.mode) == ("directory", 0o755) and ada.path == "/etc/ssh/authorized_keys.d/ada"
    assert ada.content == "ssh-ed25519 A\nssh-ed25519 B\n" and (ada.owner, ada.mode) == ("root", 0o644)


def test_units_are_asked_once_and_only_what_differs_is_changed() -> None:
    """Would catch a restart in each run, a timer that stays masked, and a unit that is started before it is there."""
    asked: list[list[str]] = []
    shown = (
        "Id=a.service\nLoadState=loaded\nUnitFileState=enabled\nActiveState=active\n\n"
        "Id=b.timer\nLoadState=masked\nUnitFileState=masked\nActiveState=inactive\n\n"
        "Id=c.socket\nLoadState=loaded\nUnitFileState=enabled\nActiveState=active\n"
    )

    def run(argv: Any) -> tuple[int, str]:
        asked.append(list(argv))
        return 0, shown

    wanted = [
        units.Wanted("a.service", enabled=True, running=True),
        units.Wanted("b.timer", masked=False, enabled=True, running=True),
        units.Wanted("c.socket", enabled=False, running=False),
    ]
    expected = [
        ["systemctl", "unmask", "b.timer"],
        ["systemctl", "enable", "b.timer"],
        ["systemctl", "disable", "c.socket"],
        ["systemctl", "start", "b.timer"],
        ["systemctl", "stop", "c.socket"],
    ]
    assert units.settle(wanted, run, change=True) == expected and asked[1:] == expected
    shown = "Id=x.service\nLoadState=not-found\nUnitFileState=\nActiveState=inactive\n"
    with pytest.raises(units.UnitsError, match=r"There is no unit x\.service"):
        units.settle([units.Wanted("x.service", running=True)], run, change=True)
    with pytest.raises(units.UnitsError, match="is masked"):
        found = {"b.timer": units.Unit("b.timer", "masked", "masked", "inactive")}
        units.plan([units.Wanted("b.timer", running=True)], found)
