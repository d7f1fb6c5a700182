# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths, kinds and what is made of them."""

from __future__ import annotations

import base64
import re
import string
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.socle.platform.plugins.module_utils._secrets import kinds, reference
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import (
    KindMismatch,
    UsageError,
)
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_a_usage_error(text: str) -> None:
    """Catches a crash, and a path that a backend would read as another one."""
    try:
        ref = reference.parse(text)
    except UsageError:
        return
    assert str(ref) == text.strip()
    for part in ref.path.split("/"):
        assert part and not part.startswith((".", "-")) and re.fullmatch(r"[A-Za-z0-9_.@=-]+", part)


@pytest.mark.parametrize(
    "bad", ["", "/a", "a/", "a//b", "a/../b", "a b", "a*", "+/a", "a#", "a#b c", "ä", "a\nb", "a\n"]
)
def test_a_bad_path_is_refused_by_name(bad: str) -> None:
    if bad == "a\n":  # surrounding blanks are the writer's, not the path's
        assert reference.parse(bad).path == "a"
        return
    with pytest.raises(UsageError) as caught:
        reference.parse(bad)
    assert "path" in str(caught.value) or "reference" in str(caught.value)


@given(
    length=st.integers(8, 200),
    classes=st.lists(st.sampled_from(["lower", "upper", "digits", "symbols"]), min_size=1, max_size=4, unique=True),
)
@settings(max_examples=150, deadline=None)
def test_a_password_has_its_length_and_every_class_and_nothing_else(length: int, classes: list[str]) -> None:
    spec = kinds.spec_from({"length": length, "classes": classes}, "a/b")
    value = kinds.generate(spec, "a/b")["password"]
    sets = {**kinds.CLASSES, "symbols": kinds.SYMBOLS}
    assert len(value) == length
    assert all(any(c in sets[name] for c in value) for name in classes)
    assert all(any(c in sets[name] for name in classes) for c in value)
    assert classes == ["symbols"] or value[0] in string.ascii_letters + string.digits


def test_the_default_password_has_32_characters_and_never_comes_twice() -> None:
    made = {kinds.generate(kinds.Spec(), "a")["password"] for _each in range(500)}
    assert len(made) == 500 and {len(value) for value in made} == {32}


def test_every_character_of_the_alphabet_is_used() -> None:
    """Catches a draw from a part of the alphabet only."""
    seen = set("".join(kinds.generate(kinds.Spec(length=1000), "a")["password"] for _each in range(5)))
    assert seen == set(string.ascii_letters + string.digits)


@pytest.mark.parametrize(("kind", "length"), [("token", 43), ("token", 9), ("hex", 64), ("hex", 9), ("hex", 4096)])
def test_tokens_have_their_length_and_alphabet(kind: str, length: int) -> None:
    value = kinds.generate(kinds.spec_from({"kind": kind, "length": length}, "a"), "a")[kind]
    assert len(value) == length and re.fullmatch(r"[0-9a-f]+" if kind == "hex" else r"[A-Za-z0-9_-]+", value)


def test_key32_is_32_bytes_and_uuid_a_uuid() -> None:
    assert len(base64.b64decode(kinds.generate(kinds.Spec("key32"), "a")["key"], validate=True)) == 32
    assert uuid.UUID(kinds.generate(kinds.Spec("uuid"), "a")["uuid"]).version == 4


def test_ed25519_is_a_pair_that_belongs_together_in_openssh_format() -> None:
    pair = kinds.generate(kinds.Spec("ed25519", name="ada@example.org"), "a/b")
    key = serialization.load_ssh_private_key(pair["private_key"].encode(), None)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    assert pair["public_key"] == public + " ada@example.org"
    assert pair["private_key"].endswith("\n")


def test_a_ca_signs_itself_is_a_ca_and_lasts_as_asked() -> None:
    made = kinds.generate(kinds.Spec("ca", name="Cater VPN", days=30), "vpn/ca")
    certificate = x509.load_pem_x509_certificate(made["certificate"].encode())
    key = serialization.load_pem_private_key(made["key"].encode(), None)
    assert key.public_key() == certificate.public_key()
    certificate.verify_directly_issued_by(certificate)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert certificate.subject.rfc4514_string() == "CN=Cater VPN"
    left = certificate.not_valid_after_utc - datetime.now(timezone.utc)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert certificate.not_valid_before_utc < datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("given_spec", "says"),
    [
        ({"kind": "pasword"}, "Did you mean password"),
        ({"lenght": 3}, "Did you mean length"),
        ({"kind": "uuid", "length": 3}, "kind uuid has no option 'length'"),
        ({"length": 4}, "Choose 8 to 4096"),
        ({"length": True}, "whole number"),
        ({"length": "x"}, "whole number"),
        ({"classes": "digits"}, "list of some of"),
        ({"classes": []}, "list of some of"),
        ({"symbols": "!"}, "Add symbols to classes"),
        ({"classes": ["symbols"], "symbols": "aé"}, "printable ASCII"),
        ({"kind": "ca", "name": "x" * 65}, "1 to 64"),
        ({"kind": "ed25519", "name": "a\nb"}, "one line"),
        ({"kind": "ca", "days": 0}, "1 to 36500"),
        (["password"], "does not say what to make"),
    ],
)
def test_a_wrong_spec_says_what_would_be_right(given_spec: object, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        kinds.spec_from(given_spec, "a/b")  # type: ignore[arg-type] # wrong on purpose
    assert "secret a/b" in str(caught.value)


def test_another_kind_is_an_error_and_names_both() -> None:
    with pytest.raises(KindMismatch, match=r"asked for kind ed25519, found kind password.*not touched"):
        kinds.check_kind("a", "here", kinds.Spec("ed25519"), "password", ["password"])


def test_what_a_human_stored_serves_when_it_has_the_field() -> None:
    kinds.check_kind("a", "here", kinds.Spec(), None, ["password", "user"])
    with pytest.raises(KindMismatch, match="stored by hand with the fields user"):
        kinds.check_kind("a", "here", kinds.Spec(), None, ["user"])


def test_only_public_fields_are_public() -> None:
    pair = kinds.generate(kinds.Spec("ed25519"), "a")
    assert set(kinds.public_fields("ed25519", pair)) == {"public_key"}
    assert kinds.public_fields(None, pair) == {} and kinds.public_fields("password", {"password": "x"}) == {}
