# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The values a field can hold beside plain data: secrets, values not known yet, absent and unreadable ones."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

HIDDEN = "(secret)"
HIDDEN_CHANGED = "(secret, changed)"
# Also the text by which a task says to a later task of the same check-mode run that a value does not exist yet.
KNOWN_AFTER_APPLY = "(known after apply)"


class Secret:
    """A value that no diff, repr, error or JSON shows. `reveal()` is for the line that sends it."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value.reveal() if isinstance(value, Secret) else value

    def reveal(self) -> Any:
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and equal(self._value, other._value)

    def __hash__(self) -> int:
        return hash(repr(self._value))

    def __repr__(self) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never serialised")


@dataclass(frozen=True)
class Unknown:
    """A desired value that exists only after something else was applied. It is never guessed.

    With `of` and `field` the engine fills it in: from object `of`, as soon as that object tells its `field`.
    """

    why: str = ""
    of: str = ""
    field: str = ""

    def __repr__(self) -> str:
        return KNOWN_AFTER_APPLY


class Marker:
    """One of the two values below; compared by identity."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __copy__(self) -> Marker:
        return self

    def __deepcopy__(self, memo: object) -> Marker:
        return self


ABSENT = Marker("(absent)")
"""Desired: the field must not be there. In a change: the field was not there."""
UNREADABLE = Marker("(not readable)")
"""Current: the API takes this field and never tells it; it is sent, and never compared."""

_SCALARS = (str, int, bool, float, type(None))
_PLAIN = frozenset(_SCALARS)


def equal(one: Any, other: Any) -> bool:
    """Equality of plain data in which true is not 1, and a secret equals its clear value."""
    if type(one) in _PLAIN and type(one) is type(other):
        return bool(one == other)
    one, other = bare(one), bare(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def bare(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else value


def secrets_in(*values: Any) -> Iterator[Secret]:
    for value in values:
        if isinstance(value, Secret):
            yield value
        elif isinstance(value, Mapping):
            yield from secrets_in(*value.values())
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield from secrets_in(*value)


def unknowns_in(*values: Any) -> Iterator[Unknown]:
    for value in values:
        if isinstance(value, Unknown):
            yield value
        elif isinstance(value, Mapping):
            yield from unknowns_in(*value.values())
        elif isinstance(value, (list, tuple)):
            yield from unknowns_in(*value)


def has_unknown(value: Any) -> bool:
    """Whether `unknowns_in` finds any; asked of every desired object, so plain types are told apart first."""
    kind = type(value)
    if kind in _PLAIN:
        return False
    if kind is dict:
        return any(type(item) not in _PLAIN and has_unknown(item) for item in value.values())
    if kind is list or kind is tuple:
        return any(type(item) not in _PLAIN and has_unknown(item) for item in value)
    return next(unknowns_in(value), None) is not None


def show(value: Any, hidden: str = HIDDEN) -> Any:
    """`value` as plain data for a reader: secrets hidden, markers as words."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, Secret):
        return hidden
    if isinstance(value, Mapping):
        return {str(key): show(item, hidden) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((show(item, hidden) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [show(item, hidden) for item in value]
    return repr(value) if isinstance(value, (Unknown, Marker)) else str(value)


def clear_texts(secrets: Iterable[Secret]) -> set[str]:
    """Every text in which these secrets could be repeated to us: as they are, quoted, escaped, encoded."""
    texts: set[str] = set()

    def add(value: Any) -> None:
        if isinstance(value, Mapping):
            for item in value.values():
                add(item)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for item in value:
                add(item)
        elif isinstance(value, bytes):
            texts.update((value.decode("utf-8", "replace"), base64.b64encode(value).decode()))
        elif value is not None and not isinstance(value, bool):
            text = str(bare(value))
            raw = text.encode("utf-8", "surrogatepass")
            texts.update((text, text.strip(), quote(raw, safe=""), quote(raw), quote_plus(raw)))
            texts.update((json.dumps(text)[1:-1], repr(text)[1:-1], base64.b64encode(raw).decode()))
            # Inside the quotes of JSON that is not ASCII, of YAML, and of a shell.
            texts.update((json.dumps(text, ensure_ascii=False)[1:-1], text.replace("'", "''")))
            texts.add(text.replace("'", "'\"'\"'"))
            texts.update(line for line in text.splitlines() if len(line) > 8)

    for secret in secrets:
        add(secret.reveal())
    texts.discard("")
    return texts


def scrub(text: str, texts: Iterable[str]) -> str:
    """`text`, a sentence of somebody else, with every one of `texts` (of `clear_texts`) hidden."""
    if not text:
        return text
    for clear in sorted(texts, key=len, reverse=True):
        text = text.replace(clear, HIDDEN)
    return text


def encode(value: Any, seal: Seal) -> Any:
    """`value` as JSON data that can be compared later: secrets sealed, unknown ones said to be unknown."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, Secret):
        return {"$secret": seal.of(value)}
    if isinstance(value, Unknown):
        return {"$unknown": value.why}
    if isinstance(value, Marker):
        return {"$marker": repr(value)}
    if isinstance(value, Mapping):
        return {("$" + str(key) if str(key).startswith("$") else str(key)): encode(value[key], seal) for key in value}
    if isinstance(value, (set, frozenset)):
        return sorted((encode(item, seal) for item in value), key=canonical)
    if isinstance(value, (list, tuple)):
        return [encode(item, seal) for item in value]
    return str(value)


def canonical(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)


def digest(data: Any) -> str:
    """A digest of JSON data without secrets (seal them first)."""
    return letters(hashlib.sha256(canonical(data).encode("utf-8", "surrogatepass")).hexdigest()[:40])


def letters(hexadecimal: str) -> str:
    """Ansible blanks every text that repeats a secret; in a digest of digits it would find many a PIN."""
    return hexadecimal.translate(_TO_LETTERS)


_TO_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")


class Seal:
    """Makes digests of secrets that can be compared under the same salt, and cost a guesser dearly.

    Whoever finds a plan file could try passwords against a fast hash at billions a second. Without a salt nothing is
    sealed: such data is for reading only.
    """

    cost = 2**14

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self._known: dict[str, str] = {}

    def of(self, secret: Secret) -> str:
        if not self.salt:
            return ""
        text = canonical(_clear(secret.reveal()))
        if text not in self._known:
            raw = text.encode("utf-8", "surrogatepass")
            sealed = hashlib.scrypt(raw, salt=self.salt.encode(), n=self.cost, r=8, p=1, dklen=20)
            self._known[text] = letters(sealed.hex())
        return self._known[text]


def _clear(value: Any) -> Any:
    if isinstance(value, Secret):
        return _clear(value.reveal())
    if isinstance(value, Mapping):
        return {str(key): _clear(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clear(item) for item in value]
    return value
