# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of broken manifests: each is valid or has errors with a place; none makes a traceback or a hang."""

from __future__ import annotations

import copy
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.errors import report
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.load import Unsafe, Vault, load
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

from .helpers import BASE
from .test_example import EXAMPLE

MUTANTS = 2600
LONGEST = 2.0

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 3.5, 1e300, 10**30, "", " ", "x", "x" * 5000, "1", "yes", "on", "é", "\u202e", "a/b",
    "10.0.0.0/8", "0.0.0.0/0", "255.255.255.255", "10.10.0.0/33", "1.36", "{{ x }}", "{% if %}", "{{", "4 GiB",
    "9" * 30 + " TiB",
    "[key]", "__class__", "kind", "commit", "kubernetes", "canada", "production", [], [[]], {}, {"": ""}, {"x": None},
    {"kind": "gke"}, {"kind": "mars"}, {"kind": ["gke"]}, {"secret": "a#b"}, {"secret": 1}, {"on": "x"},
    ["a", 1, None, {}], ["x"] * 200, {f"k{n}": n for n in range(200)},
]  # fmt: skip
TEXTS = [
    "\t", "\x00", "\u2028", "\ufeff", "&a ", "*a", "*a, ", "<<: *a\n", "!vault ", "!!python/object:os.system ",
    "!!int ",
    "- ",
    ": ", ":", "? ", "| ", ">\n", "{", "}", "[", "]", "'", '"', "#", "%", "@", "`", "---\n", "...\n", "\r",
    "\n", "  ", "{{ x }}",
]  # fmt: skip


def sources(root: Path) -> list[str]:
    files = sorted((root / "inventories").glob("*/*.socle.yml"))
    assert len(files) >= 6
    return [BASE, EXAMPLE, *(file.read_text() for file in files)]


def paths(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else []
    for key, value in entries:
        found += paths(value, (*at, key))
    return found


def mutated_tree(rng: random.Random, text: str) -> bytes:
    tree = copy.deepcopy(load(text.encode())[0])
    for _unused in range(rng.choice([1, 1, 1, 2, 3, 8])):
        places = paths(tree)
        if not places:
            break
        *parents, last = rng.choice(places)
        holder = tree
        for part in parents:
            holder = holder[part]
        what = rng.randrange(5)
        if what == 0:
            del holder[last]
        elif what == 1 and isinstance(holder, dict):
            key = str(last)
            cut = rng.randrange(len(key) + 1)
            holder[
                rng.choice([key[:cut] + key[cut + 1 :], key + "s", key.upper(), key.replace("_", "-"), "x" * 80])
            ] = holder.pop(last)
        elif what == 2:
            other = rng.choice(places)
            value = tree
            try:
                for part in other:
                    value = value[part]
            except (KeyError, IndexError, TypeError):
                continue
            holder[last] = copy.deepcopy(value)
        elif what == 3:
            holder[last] = [holder[last]] if rng.random() < 0.5 else {"x": holder[last]}
        else:
            holder[last] = copy.deepcopy(rng.choice(ODD))
    return yaml.dump(plain(tree), sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    return str(tree) if isinstance(tree, (Unsafe, Vault)) else tree


def mutated_text(rng: random.Random, text: str) -> bytes:
    for _unused in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(text) + 1)
        what = rng.randrange(7)
        if what == 0:
            text = text[:at] + rng.choice(TEXTS) + text[at:]
        elif what == 1:
            text = text[:at] + text[at + rng.randrange(1, 6) :]
        elif what == 2:
            lines = text.split("\n")
            line = rng.randrange(len(lines))
            lines[line] = rng.choice([" ", "  ", "\t", "", "   "]) + (
                lines[line] if rng.random() < 0.7 else lines[line].lstrip()
            )
            text = "\n".join(lines)
        elif what == 3:
            lines = text.split("\n")
            line = rng.randrange(len(lines))
            lines.insert(rng.randrange(len(lines)), lines[line])
            text = "\n".join(lines)
        elif what == 4:
            text = text[:at]
        elif what == 5:
            text = text[:at] + rng.choice(["[" * 3000, "{a: " * 300, "x" * 20000, "- " * 400, "&b [*b, "]) + text[at:]
        else:
            text = text.replace(
                rng.choice(["10", "1", "count", ":", "compute", "canada", "{", ","]),
                rng.choice(["9" * 40, "-1", "", "on"]),
                1,
            )
    return text.encode("utf-8", "surrogatepass")


def mutated_bytes(rng: random.Random, text: str) -> bytes:
    raw = bytearray(text.encode())
    what = rng.randrange(5)
    if what == 0:
        for _unused in range(rng.randrange(1, 5)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        return bytes(raw)
    if what == 1:
        return text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-7"]))
    if what == 2:
        return text.replace("e", "é").encode("latin-1", "replace")
    if what == 3:
        return bytes(rng.randrange(256) for _unused in range(rng.randrange(400)))
    return bytes(raw[: rng.randrange(len(raw))])


def examine(raw: bytes) -> bool:
    """True when valid. Anything but a valid platform or errors with a place fails the test."""
    started = time.monotonic()
    result = validate_file("fuzz.socle.yml", raw)
    if result.ok:
        made = inventory(result.platform, "fuzz.socle.yml")
        assert all(variables.get("ansible_host") for variables in made.hosts.values())
    else:
        lines = raw.count(b"\n") + raw.count(b"\r") + raw.count("\u2028".encode()) + raw.count("\x85".encode()) + 2
        for entry in result.errors:
            assert 1 <= entry.line <= lines, entry
            assert entry.column >= 1, entry
            assert entry.what.strip(), entry
            assert "\n" not in entry.what, entry
        assert "Traceback" not in report(result)
    assert time.monotonic() - started < LONGEST, raw[:200]
    return result.ok


@pytest.mark.parametrize("part", range(4))
def test_mutants(root: Path, part: int):
    """Seeded mutations of trees, text and bytes; the seed of a failure is in its message."""
    texts = sources(root)
    valid = 0
    for number in range(part, MUTANTS, 4):
        rng = random.Random(number)
        text = rng.choice(texts)
        raw = rng.choice([mutated_tree, mutated_tree, mutated_text, mutated_text, mutated_bytes])(rng, text)
        try:
            valid += examine(raw)
        except Exception as exc:
            raise AssertionError(f"mutant {number}: {type(exc).__name__}: {exc}\n{raw[:3000]!r}") from exc
    # Mutants that are all refused, or all accepted, would not test the checks behind the schema.
    assert MUTANTS / 4 * 0.01 < valid < MUTANTS / 4 * 0.6
