# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file as YAML: what it means, where everything stands, and what cannot be read."""

from __future__ import annotations

import time

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.load import (
    MAX_BYTES,
    Unreadable,
    Unsafe,
    Vault,
    load,
)
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

HEAD = "plugin: socle.platform.manifest\n"


def test_words_are_words():
    """YAML 1.1 would make True of `on`, False of `no`, 8 of 010 and 1350 of 22:30."""
    data, _root, findings = load(
        b"on: no\noff: yes\na: 010\nb: 22:30\nc: 1_000\nd: 2026-01-01\ne: 1.30\nf: true\ng: ~\nh: 0x1f\n"
    )
    assert findings == []
    assert data == {
        "on": "no", "off": "yes", "a": "010", "b": "22:30", "c": "1_000",
        "d": "2026-01-01", "e": 1.3, "f": True, "g": None, "h": 31,
    }  # fmt: skip


def test_tags_of_ansible():
    """`!vault` and `!unsafe` are Ansible's; any other tag is told."""
    data, _root, findings = load(
        b"a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nb: !unsafe '{{ x }}'\nc: !!str 1\nd: !ohno 2\n"
    )
    assert isinstance(data["a"], Vault)
    assert data["a"].ciphertext.startswith("$ANSIBLE_VAULT")
    assert isinstance(data["b"], Unsafe)
    assert data["c"] == "1"
    assert [(entry.line, entry.column, "!ohno" in entry.what) for entry in findings] == [(6, 4, True)]


def test_merge_keys_and_aliases():
    """`<<` gives only what the mapping does not say itself, and the first source wins."""
    data, root, findings = load(b"a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: *a\n")
    assert findings == []
    assert data["c"] == {"x": 3, "y": 1, "z": 2}
    assert data["d"] == data["a"]
    assert root.at(("c", "z")).line == 2


def test_merge_written_in_place():
    """A mapping after `<<` need not be an alias."""
    assert load(b"a: {<<: {x: 1}, y: 2}\n")[0]["a"] == {"x": 1, "y": 2}


def test_bom_is_fine():
    """Editors on Windows write one."""
    assert load(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")[0] == {"a": 1, "b": 2}


BAD = [
    ("empty", b"", 1, 1, "empty"),
    ("only a comment", b"# nothing\n", 1, 1, "empty"),
    ("a list", b"- a\n- b\n", 1, 1, "a list"),
    ("a word", b"hello\n", 1, 1, "a single value"),
    ("a tab", b"a:\n\tb: 1\n", 2, 1, "tab"),
    ("a bad indent", b"a:\n  b: 1\n c: 2\n", 3, 2, "not valid YAML"),
    ("two documents", b"a: 1\n---\nb: 2\n", 2, 1, "second document"),
    ("an open bracket", b"a: [1, 2\nb: 3\n", 2, 2, "not valid YAML"),
    ("an alias to nothing", b"a: *b\n", 1, 4, "anchor that is not defined"),
    ("an alias inside itself", b"a: &a [1, *a]\n", 1, 11, "inside what it refers to"),
    ("a key that is a list", b"? [a, b]\n: 1\n", 1, 3, "a key is a list"),
    ("Jinja without quotes", b"a: {{ x }}\n", 1, 5, "a key is a list or a mapping"),
    ("UTF-16", "a: 1\n".encode("utf-16"), 1, 1, "UTF-16"),
    ("Latin-1", b"a: 1\nb: caf\xe9\n", 2, 7, "not UTF-8"),
    ("a NUL byte", b"a: 1\nb: x\x00y\n", 2, 5, "U+0000"),
    ("too deep", b"a: " + b"[" * 5000, 1, 53, "levels of nesting"),
    ("ten megabytes", b"a: " + b"x" * 10_000_000, 1, 1, "9.5 MiB"),
    ("billion laughs", b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*" + bytes([97 + n])] * 9)) for n in range(9)
    ), 1, 8, "too many values"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "line", "column", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_cannot_be_read(raw: bytes, line: int, column: int, said: str):
    """One sentence with a place, in well under a second; never a traceback, a full memory or a hang."""
    started = time.monotonic()
    with pytest.raises(Unreadable) as caught:
        load(raw)
    assert time.monotonic() - started < 2
    finding = caught.value.finding
    assert said in finding.what
    assert (finding.line, finding.column) == (line, column) or said == "too many values"
    result = validate_file("x.socle.yml", raw)
    assert not result.ok


def test_the_limit_is_above_any_manifest():
    """A manifest of a thousand groups must still be read."""
    assert MAX_BYTES >= 1024 * 1024


def test_duplicate_keys_are_told_with_both_places():
    """YAML libraries keep the last one silently."""
    _data, _root, [finding] = load(b"a:\n  b: 1\n  b: 2\n")
    assert (finding.line, finding.column, finding.dotted()) == (3, 3, "a.b")
    assert "line 2" in finding.what


def test_a_number_for_a_version_is_quoted_as_written():
    """1.30 is 1.3 to YAML: the error must say what was written and what would be right."""
    text = HEAD + "platform: {name: x, domain: x.example.org}\nkubernetes: {version: 1.30}\n"
    errors = validate_file("x.socle.yml", text.encode()).errors
    [finding] = [entry for entry in errors if entry.dotted() == "kubernetes.version"]
    assert finding.what == "found the number 1.30"
    assert '"1.30"' in finding.hint
    assert (finding.line, finding.column) == (3, 23)


def test_syntax_errors_say_where_in_the_tree():
    """The path helps when the file is long."""
    result = validate_file("x.socle.yml", b"machines:\n  worker:\n    count: 1\n\tcores: 2\n")
    assert result.errors[0].line == 4
    assert result.errors[0].dotted().startswith("machines")


@pytest.mark.parametrize("written", ["yes", "no", "on", "off"])
def test_old_booleans_are_told_how_to_write(written: str):
    """They are text now; the error says which word is meant."""
    text = HEAD + f"platform: {{name: x, domain: x.example.org}}\nkubernetes: {{audit: {written}}}\n"
    errors = validate_file("x.socle.yml", text.encode()).errors
    [finding] = [entry for entry in errors if entry.dotted() == "kubernetes.audit"]
    assert finding.wanted == "true or false"
    assert finding.hint == f"write {'true' if written in ('yes', 'on') else 'false'}"


def test_without_pydantic_one_sentence(monkeypatch: pytest.MonkeyPatch):
    """A missing library is told as such, not as an import error."""
    from ansible_collections.socle.platform.plugins.plugin_utils._manifest import validate

    monkeypatch.setattr(validate, "MISSING", "No module named pydantic")
    [finding] = validate_file("x.socle.yml", HEAD.encode()).errors
    assert "pydantic" in finding.what
    assert "pip install" in finding.hint
