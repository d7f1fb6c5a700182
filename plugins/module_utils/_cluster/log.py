# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The last reason in a kubelet's log."""

from __future__ import annotations

import re

LONGEST = 300
# klog: E1121 18:40:59.123456    1234 file.go:123] "What failed" err="why" more="..."
_ERROR = re.compile(r'^[EF]\d{4} \S+\s+\d+ [^\]]+\] (?:"((?:[^"\\]|\\.)*)"|(.*))')
_CAUSE = re.compile(r'\berr="((?:[^"\\]|\\.)*)"')
# What follows from something else, and says so less clearly.
_SECOND_HAND = (
    "Failed to ensure lease exists",
    "Unable to register node",
    "Error getting node",
    "nodes have not yet been",
)


def last_reason(log: str) -> str:
    """The newest error that is a cause, in one line; a consequence where there is nothing better."""
    consequence = ""
    for line in reversed(log.splitlines()):
        found = _ERROR.match(line)
        if not found:
            continue
        what = _plain(found[1] or found[2] or "")
        cause = _CAUSE.search(line)
        sentence = f"{what}: {_plain(cause[1])}" if cause else what
        if not any(word in what for word in _SECOND_HAND):
            return sentence[:LONGEST]
        consequence = consequence or sentence[:LONGEST]
    return consequence


def _plain(text: str) -> str:
    return " ".join(text.replace('\\"', '"').replace("\\n", " ").replace("\\t", " ").split())


__all__ = ["last_reason"]
