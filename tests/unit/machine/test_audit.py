# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outside tools write is read right, and nothing that they find is passed over."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "audit"))

import audit
import judges

ROOT = Path(__file__).resolve().parents[3]
OSCAP = """Title   Install AIDE
Rule    xccdf_org.ssgproject.content_rule_package_aide_installed
Ident   x
Result  fail

Title   Install sudo
Rule    xccdf_org.ssgproject.content_rule_package_sudo_installed
Result  pass

Title   Not here
Rule    xccdf_org.ssgproject.content_rule_other
Result  notapplicable
"""


def test_openscap() -> None:
    """Would catch the first rule left out, and a failure that counts as passed."""
    found = judges.oscap("--- Starting Evaluation ---\n" + OSCAP)
    assert found.figures == {"pass": 1, "fail": 1, "notapplicable": 1}
    assert found.wrong == {"package_aide_installed": "Install AIDE"}
    assert judges.oscap(OSCAP).figures == found.figures


def test_lynis() -> None:
    """Would catch a warning that is taken for a suggestion."""
    found = judges.lynis(
        "hardening_index=83\nwarning[]=PKGS-7392|Updates|text|\nsuggestion[]=A|b|\nsuggestion[]=C|d|\n"
    )
    assert found.figures == {"index": 83, "warnings": 1, "suggestions": 2} and found.wrong == {"PKGS-7392": "Updates"}


def test_ssh_audit() -> None:
    """Would catch advice that is not counted."""
    advice = {
        "critical": {"del": {"kex": [{"name": "ecdh-sha2-nistp256"}]}},
        "warning": {"del": {"mac": [{"name": "m"}]}},
    }
    found = judges.ssh_audit(json.dumps({"recommendations": advice}))
    assert found.figures == {"critical": 1, "warning": 1}
    assert judges.ssh_audit(json.dumps({"recommendations": {}})).figures == {"critical": 0, "warning": 0}


def test_nmap() -> None:
    """Would catch a scan that never took place and found nothing open."""
    scan = "Host: 203.0.113.50 ()\tStatus: Up\nHost: 203.0.113.50 ()\tPorts: 22/open/tcp//ssh///\n"
    assert judges.nmap(scan).figures == {"open": 1}
    with pytest.raises(ValueError, match="did not scan"):
        judges.nmap("# Nmap done: 0 hosts up")


def test_what_is_neither_mended_nor_excepted_fails() -> None:
    """Would catch a finding that hides behind a good figure, and an exception that nobody needs any more."""
    good = {
        "cis": judges.Verdict({"pass": 350, "fail": 1}, {"rule_a": "A"}),
        "lynis": judges.Verdict({"index": 82, "warnings": 0}),
        "ssh-audit": judges.Verdict({"critical": 0, "warning": 0}),
        "stranger": judges.Verdict({"open": 0}),
    }
    excepted = {"tool": "cis", "rule": "rule_a", "reason": "r"}
    assert audit.judged(good, [excepted]) == []
    assert "cis: rule_a (A)" in audit.judged(good, [])[0]
    (stale,) = audit.judged(good, [excepted, {"tool": "cis", "rule": "rule_b", "reason": "r"}])
    assert "rule_b is excepted and no longer found" in stale
    good["lynis"].figures["index"] = 81
    assert audit.judged(good, [excepted]) == ["lynis: index is 81, and at least 82 was wanted"]


def test_each_exception_has_a_reason() -> None:
    """Would catch an exception that is only a name."""
    entries = yaml.safe_load((ROOT / "tests" / "audit" / "exceptions.yml").read_text())
    assert all(len(entry["reason"]) > 20 and set(entry) == {"tool", "rule", "reason"} for entry in entries)
    assert len({(entry["tool"], entry["rule"]) for entry in entries}) == len(entries)
