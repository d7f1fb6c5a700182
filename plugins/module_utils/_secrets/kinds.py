# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The kinds of secrets that can be made, and how each is made."""

from __future__ import annotations

import base64
import difflib
import secrets
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from .errors import KindMismatch, MissingLibrary, UsageError

CLASSES = {"lower": string.ascii_lowercase, "upper": string.ascii_uppercase, "digits": string.digits}
# Safe unquoted in a shell, an URL's password part, YAML and INI.
SYMBOLS = "-_.~"


@dataclass(frozen=True)
class Spec:
    """What to make when there is none. An option that a kind does not use is refused, not ignored."""

    kind: str = "password"
    length: int | None = None
    classes: tuple[str, ...] | None = None
    symbols: str | None = None
    name: str | None = None
    days: int | None = None


@dataclass(frozen=True)
class Kind:
    fields: tuple[str, ...]
    default: str
    options: frozenset[str]
    make: Callable[[Spec, str], dict[str, str]]
    public: frozenset[str] = frozenset()
    length: tuple[int, int, int] = (0, 0, 0)  # default, least, most


def _password(spec: Spec, path: str) -> dict[str, str]:
    del path
    classes = spec.classes or ("lower", "upper", "digits")
    sets = [spec.symbols or SYMBOLS if name == "symbols" else CLASSES[name] for name in classes]
    alphabet = "".join(sorted(set("".join(sets))))
    plain = "".join(c for c in alphabet if c.isalnum()) or alphabet
    # Drawn again as a whole until every class is there: repairing a draw would make it predictable.
    while True:
        # A leading dash is taken for an option by many programs.
        value = secrets.choice(plain) + "".join(secrets.choice(alphabet) for _place in range(_length(spec) - 1))
        if all(any(c in chars for c in value) for chars in sets):
            return {"password": value}


def _token(spec: Spec, path: str) -> dict[str, str]:
    del path
    # token_urlsafe may begin with a dash.
    first = secrets.choice(string.ascii_letters + string.digits)
    return {"token": first + secrets.token_urlsafe(_length(spec))[: _length(spec) - 1]}


def _hex(spec: Spec, path: str) -> dict[str, str]:
    del path
    return {"hex": secrets.token_hex(_length(spec) // 2 + 1)[: _length(spec)]}


def _key32(spec: Spec, path: str) -> dict[str, str]:
    del spec, path
    return {"key": base64.b64encode(secrets.token_bytes(32)).decode()}


def _uuid(spec: Spec, path: str) -> dict[str, str]:
    del spec, path
    return {"uuid": str(uuid.uuid4())}


def _ed25519(spec: Spec, path: str) -> dict[str, str]:
    try:
        from cryptography.hazmat.primitives import serialization as ser
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise MissingLibrary("cryptography", "secrets of kind ed25519", str(error)) from error
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.OpenSSH, ser.NoEncryption()).decode()
    public = key.public_key().public_bytes(ser.Encoding.OpenSSH, ser.PublicFormat.OpenSSH).decode()
    comment = spec.name if spec.name is not None else path
    return {"private_key": private, "public_key": f"{public} {comment}".strip()}


def _ca(spec: Spec, path: str) -> dict[str, str]:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives import serialization as ser
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise MissingLibrary("cryptography", "secrets of kind ca", str(error)) from error
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, spec.name or path)])
    now = datetime.now(timezone.utc)
    ski = x509.SubjectKeyIdentifier.from_public_key(public)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # Machines whose clock is a little behind must accept it at once.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=spec.days or 3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(ski, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False)
        .sign(key, hashes.SHA256())
    )
    return {
        "certificate": certificate.public_bytes(ser.Encoding.PEM).decode(),
        "key": key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption()).decode(),
    }


KINDS: dict[str, Kind] = {
    "password": Kind(
        ("password",), "password", frozenset({"length", "classes", "symbols"}), _password, length=(32, 8, 4096)
    ),
    "token": Kind(("token",), "token", frozenset({"length"}), _token, length=(43, 8, 4096)),
    "hex": Kind(("hex",), "hex", frozenset({"length"}), _hex, length=(64, 8, 4096)),
    "key32": Kind(("key",), "key", frozenset(), _key32),
    "uuid": Kind(("uuid",), "uuid", frozenset(), _uuid),
    "ed25519": Kind(
        ("private_key", "public_key"),
        "private_key",
        frozenset({"name"}),
        _ed25519,
        public=frozenset({"public_key"}),
    ),
    "ca": Kind(("certificate", "key"), "key", frozenset({"name", "days"}), _ca, public=frozenset({"certificate"})),
}
OPTIONS = tuple(f.name for f in fields(Spec) if f.name != "kind")


def _length(spec: Spec) -> int:
    return spec.length or KINDS[spec.kind].length[0]


def _nearest(word: object, among: list[str]) -> str:
    match = difflib.get_close_matches(str(word), among, n=1)
    return f"Did you mean {match[0]}? " if match else ""


def spec_from(given: Mapping[str, Any] | str | None, path: str) -> Spec:
    """Read what a user wrote: `{kind: password, length: 40}`, a kind's name, or nothing (a password)."""
    what = f"secret {path}"
    if given is None:
        given = {}
    if isinstance(given, str):
        given = {"kind": given}
    if not isinstance(given, Mapping):
        raise UsageError(what, f"{type(given).__name__} does not say what to make", "Write {kind: password}.")
    # Ansible's strings are subclasses, which do not belong into what is kept.
    data: dict[str, Any] = {str(k): str(v) if isinstance(v, str) else v for k, v in given.items() if v is not None}
    kind = data.get("kind", "password")
    if kind not in KINDS:
        raise UsageError(what, f"no kind {kind!r}", f"{_nearest(kind, list(KINDS))}Kinds are {', '.join(KINDS)}.")
    allowed = KINDS[kind].options
    for option in data:
        if option != "kind" and option not in allowed:
            options = ", ".join(sorted(allowed)) or "none"
            raise UsageError(
                what,
                f"kind {kind} has no option {option!r}",
                f"{_nearest(option, sorted(allowed))}Its options: {options}.",
            )
    if "classes" in data:
        data["classes"] = _classes(data["classes"], what)
    for option in ("length", "days"):
        if option in data:
            data[option] = _whole(data[option], option, what)
    for option in ("symbols", "name"):
        if option in data and not isinstance(data[option], str):
            raise UsageError(what, f"{option} is {type(data[option]).__name__}, not text", "Put it in quotes.")
    spec = Spec(**data)
    _check_values(spec, what)
    return spec


def _whole(value: object, option: str, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).isdigit():
        raise UsageError(what, f"{option} is {value!r}", "Write a whole number.")
    return int(value)


def _classes(value: object, what: str) -> tuple[str, ...]:
    known = [*CLASSES, "symbols"]
    if not isinstance(value, (list, tuple)) or not value or any(c not in known for c in value):
        raise UsageError(what, f"classes is {value!r}", f"Write a list of some of {', '.join(known)}.")
    return tuple(dict.fromkeys(str(c) for c in value))


def _check_values(spec: Spec, what: str) -> None:
    _default, least, most = KINDS[spec.kind].length
    if spec.length is not None and not least <= spec.length <= most:
        raise UsageError(what, f"length {spec.length} for a {spec.kind}", f"Choose {least} to {most}.")
    if spec.days is not None and not 1 <= spec.days <= 36500:
        raise UsageError(what, f"days {spec.days}", "Choose 1 to 36500.")
    if spec.symbols is not None:
        if "symbols" not in (spec.classes or ()):
            raise UsageError(what, "symbols without the class symbols", "Add symbols to classes.")
        if not spec.symbols or any(not 33 <= ord(c) <= 126 or c.isalnum() for c in spec.symbols):
            raise UsageError(
                what, f"symbols {spec.symbols!r}", "Use printable ASCII that is no letter, digit or space."
            )
    if spec.name is not None:
        if any(not c.isprintable() for c in spec.name):
            raise UsageError(what, "a name with line breaks or control characters", "Use one line of text.")
        if spec.kind == "ca" and not 1 <= len(spec.name) <= 64:
            raise UsageError(what, f"a name of {len(spec.name)} characters", "A certificate's name has 1 to 64.")


def generate(spec: Spec, path: str) -> dict[str, str]:
    """Make the fields of a new secret."""
    if spec.kind == "ca" and spec.name is None and len(path) > 64:
        spec = replace(spec, name=path[-64:])
    return KINDS[spec.kind].make(spec, path)


def describe(spec: Spec) -> dict[str, Any]:
    """The spec as plain data, without what was not given."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(spec).items() if v is not None}


def public_fields(kind: str | None, values: Mapping[str, str]) -> dict[str, str]:
    """The fields that anyone may see: only of secrets whose kind is recorded."""
    shown = KINDS[kind].public if kind in KINDS else frozenset()
    return {name: value for name, value in values.items() if name in shown}


def check_kind(path: str, where: str, wanted: Spec, found_kind: str | None, found_fields: list[str]) -> None:
    """A secret of another kind is an error. One that a human stored has no kind: its fields must serve."""
    kind = KINDS[wanted.kind]
    if found_kind is not None:
        if found_kind != wanted.kind:
            raise KindMismatch(
                f"secret {path}",
                f"asked for kind {wanted.kind}, found kind {found_kind}",
                f"Ask for kind {found_kind}, use another path, or delete the stored one. It was not touched.",
                where,
            )
        return
    if kind.default not in found_fields:
        raise KindMismatch(
            f"secret {path}",
            f"asked for kind {wanted.kind} (fields {', '.join(kind.fields)}), found one that was stored by hand "
            f"with the fields {', '.join(sorted(found_fields)) or 'none'}",
            f"Store it with the field {kind.default}, name the field you mean ({path}#field), or use another path. "
            "It was not touched.",
            where,
        )


def pick(path: str, where: str, field: str | None, kind: str | None, values: Mapping[str, str]) -> str:
    """The value of a field; without a name, the kind's own or the only one there is."""
    if field is None:
        if kind in KINDS:
            field = KINDS[kind].default
        elif len(values) == 1:
            field = next(iter(values))
        else:
            raise UsageError(
                f"secret {path}", f"it has the fields {', '.join(sorted(values))}", f"Name one: {path}#field.", where
            )
    if field not in values:
        near = _nearest(field, list(values))
        raise UsageError(
            f"secret {path}",
            f"it has no field {field}, only {', '.join(sorted(values)) or 'none'}",
            f"{near}Name one of these: {path}#field.",
            where,
        )
    return values[field]
