# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""systemd units of a machine: all of them asked at once, and only what differs is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Run = Callable[[Sequence[str]], tuple[int, str]]


class UnitsError(Exception):
    """One sentence for the user."""


@dataclass(frozen=True)
class Wanted:
    """A unit as it shall be; None for as it is."""

    name: str
    enabled: bool | None = None
    running: bool | None = None
    masked: bool | None = None


@dataclass(frozen=True)
class Unit:
    """A unit as it is."""

    name: str
    load: str
    file: str
    active: str


PROPERTIES = ("Id", "LoadState", "UnitFileState", "ActiveState")


def parse(text: str, names: Sequence[str]) -> dict[str, Unit]:
    """What `systemctl show` tells, in the order in which it was asked."""
    found = {}
    for name, block in zip(names, text.strip("\n").split("\n\n"), strict=True):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        found[name] = Unit(name, values["LoadState"], values["UnitFileState"], values["ActiveState"])
    return found


def plan(wanted: Sequence[Wanted], found: dict[str, Unit]) -> list[list[str]]:
    """The commands, by what they do: unmask before enable, enable before start."""
    verbs: dict[str, list[str]] = {verb: [] for verb in ("unmask", "mask", "enable", "disable", "start", "stop")}
    for unit in wanted:
        now = found[unit.name]
        masked = now.load == "masked" or now.file == "masked"
        if now.load == "not-found" and not unit.masked:
            if unit.enabled or unit.running:
                raise UnitsError(f"There is no unit {unit.name} on this machine; install the package that brings it.")
            continue
        if unit.masked is not None and unit.masked != masked:
            verbs["mask" if unit.masked else "unmask"].append(unit.name)
        if masked and unit.masked is None and (unit.enabled or unit.running):
            raise UnitsError(f"The unit {unit.name} is masked; say `masked: false` if it shall run all the same.")
        enabled = now.file in ("enabled", "enabled-runtime", "alias") and not masked
        can_be_enabled = now.file not in ("static", "indirect", "generated", "transient")
        if unit.enabled is not None and unit.enabled != enabled and can_be_enabled and not unit.masked:
            verbs["enable" if unit.enabled else "disable"].append(unit.name)
        running = now.active in ("active", "activating", "reloading", "refreshing")
        if unit.running is not None and unit.running != running:
            verbs["start" if unit.running else "stop"].append(unit.name)
    return [["systemctl", verb, *names] for verb, names in verbs.items() if names]


def settle(wanted: Sequence[Wanted], run: Run, change: bool) -> list[list[str]]:
    """Ask, and do what differs; with `change` false only tell it."""
    names = [unit.name for unit in wanted]
    if not names:
        return []
    code, said = run(["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names])
    if code:
        raise UnitsError(f"systemctl does not tell the units' states ({code}): {said}")
    commands = plan(wanted, parse(said, names))
    if change:
        for command in commands:
            code, said = run(command)
            if code:
                raise UnitsError(f"`{' '.join(command)}` failed ({code}): {said}")
    return commands
