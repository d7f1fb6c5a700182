# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests that are built to exhaust whoever reads them: each ends soon, with a place."""

from __future__ import annotations

import ipaddress
import time

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.errors import report
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import MOST_FINDINGS, validate_file

from .test_example import EXAMPLE

LONGEST = 15.0


def _merges() -> str:
    lines = []
    for level in range(200):
        own = ", ".join(f"m{level}x{number}: 1" for number in range(100))
        sources = ", ".join(f"*k{source}" for source in range(level))
        lines.append(f"k{level}: &k{level} {{{own}, <<: [{sources}]}}\n")
    return "".join(lines) + EXAMPLE


def _people() -> str:
    return EXAMPLE.replace("[ada, grace]", "[" + ",".join(f"P{number}!" for number in range(30_000)) + "]")


def _keys() -> str:
    return EXAMPLE + "".join(f"zz{number}: 1\n" for number in range(30_000))


def _groups() -> str:
    groups = "".join(f"  {number:x}g: {{count: 1}}\n".replace("  ", "  a", 1) for number in range(4000))
    return EXAMPLE.replace("  worker:", groups + "  worker:")


@pytest.mark.parametrize("build", [_merges, _people, _keys, _groups])
def test_what_grows_with_the_square_ends_soon(build):
    """Merges of merges, a long list of wrong entries, thousands of unknown keys, thousands of groups that meet."""
    started = time.process_time()
    result = validate_file("test.socle.yml", build().encode())
    assert time.process_time() - started < LONGEST
    assert not result.ok and all(entry.line >= 1 and entry.column >= 1 for entry in result.errors)
    assert len(report(result).splitlines()) < 200


def test_what_is_not_told_one_by_one_is_counted():
    """Thousands of errors are cut, and the cut is told."""
    told = [entry for entry in validate_file("x", _people().encode()).errors if "not told one by one" in entry.what]
    assert [entry.what.split()[0] for entry in told] == [str(30_000 - MOST_FINDINGS)]
    assert told[0].dotted().startswith("access.openvpn.people[")


@pytest.mark.parametrize("number", ["9" * 5000, '"' + "9" * 5000 + '"', '"²"', '"_"', "１００", "0x" + "f" * 39])
def test_numbers_that_python_cannot_read(number: str):
    """Python refuses to convert more than 4300 digits, and has digits that are no numbers."""
    result = validate_file("test.socle.yml", EXAMPLE.replace("vlan: 100", f"vlan: {number}").encode())
    assert [entry.dotted() for entry in result.errors] == ["hypervisors.network.vlan"]


@pytest.mark.parametrize("prefix", range(33))
@pytest.mark.parametrize("first", [0, 2**32 - 1])
def test_racks_at_the_ends_of_all_addresses(first: int, prefix: int):
    """Nothing is counted beyond the last address that there is."""
    rack = ipaddress.IPv4Network((first, prefix), strict=False)
    result = validate_file("test.socle.yml", EXAMPLE.replace("10.10.0.0/16", str(rack)).encode())
    assert any(entry.dotted() == "hypervisors.network.rack" for entry in result.errors)
