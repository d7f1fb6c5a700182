# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The words that the schema is written in: sections, sizes, names, addresses and values that are looked up later."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from .errors import shown
from .load import Unsafe, Vault
from .pydantic_guard import BaseModel, ConfigDict, Field, PydanticCustomError


class Section(BaseModel):
    """A mapping of the manifest. What it does not name is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True, arbitrary_types_allowed=True)

    def given(self, name: str) -> bool:
        """Whether the manifest says it, rather than the default."""
        return name in self.model_fields_set


@dataclass(frozen=True)
class SecretRef:
    """`{secret: gitlab/root_password#field}`: read from the secrets backend where it is used, and only then."""

    secret: str


def wrong(what: str, wanted: str = "", hint: str = "") -> PydanticCustomError:
    """An error of a validator, in the words of a finding."""
    escaped = what.replace("{", "{{").replace("}", "}}")
    return PydanticCustomError("manifest", escaped, {"what": what, "wanted": wanted, "hint": hint})


def found(value: Any) -> str:
    """What stands there, in words; never the content of something that may be a secret."""
    if value is None:
        return "found nothing"
    if isinstance(value, bool):
        return f"found the truth value {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"found the number {shown(value, 40)}"
    if isinstance(value, dict):
        return "found a mapping"
    if isinstance(value, list):
        return "found a list"
    if isinstance(value, Vault):
        return "found an encrypted value"
    return f"found '{shown(re.sub(r'//[^/@]*@', '//***@', str(value)), 60)}'"


def is_template(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Unsafe) and ("{{" in value or "{%" in value)


def refuse_lazy(value: Any) -> None:
    # `!unsafe` does not help: this text becomes names and variables that do not remember it.
    if isinstance(value, str) and is_template(str(value)):
        hint = "hosts and groups are made of it before any variable exists"
        raise wrong("a template cannot stand here", "a plain value", hint)
    if isinstance(value, Vault):
        raise wrong("an encrypted value cannot stand here", "a plain value")


def text_of(value: Any, wanted: str) -> str:
    refuse_lazy(value)
    if not isinstance(value, str):
        hint = (
            f'write it in quotes: "{value}"' if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
        )
        raise wrong(found(value), wanted, hint)
    return value


@dataclass(eq=False)
class Rule:
    """What a value must be: checked before pydantic's own type, in words of ours, with its own JSON Schema."""

    check: Callable[[Any], Any]
    schema: dict[str, Any] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> Any:
        if self.schema is not None:
            return dict(self.schema)
        plain = handler(schema)
        return {"anyOf": [plain["items"], plain]}


def _plain(value: Any) -> str:
    text = text_of(value, "text")
    if not text.strip():
        raise wrong("found empty text", "text")
    return text


def _matching(pattern: str, wanted: str, value: Any) -> str:
    text = text_of(value, wanted)
    if not re.fullmatch(pattern, text):
        hint = ""
        if text != text.lower() and re.fullmatch(pattern, text.lower()):
            hint = f"did you mean {text.lower()}?"
        elif "_" in text and re.fullmatch(pattern, text.replace("_", "-")):
            hint = f"did you mean {text.replace('_', '-')}?"
        raise wrong(found(text), wanted, hint)
    return text


def matching(pattern: str, wanted: str) -> Rule:
    """Text that a pattern describes; `wanted` says the same in words."""
    return Rule(
        partial(_matching, pattern, wanted), {"type": "string", "pattern": f"^(?:{pattern})$".replace("\\Z", "$")}
    )


def _lazy(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"secret"} and isinstance(value["secret"], str) and value["secret"].strip("/# "):
            return SecretRef(value["secret"])
        raise wrong("found a mapping", "text, a template in quotes, !vault, or {secret: path#field}")
    if isinstance(value, Vault):
        return value
    if not isinstance(value, str):
        text_of(value, "text, a template in quotes, !vault, or {secret: path#field}")
    if not value.strip():
        raise wrong("found empty text", "text")
    return value


_LAZY_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {"secret": {"type": "string"}},
            "required": ["secret"],
            "additionalProperties": False,
        },
    ]
}

Plain = Annotated[str, Rule(_plain, {"type": "string", "minLength": 1})]
Text = Annotated[Any, Rule(_lazy, _LAZY_SCHEMA)]
"""Text that may be looked up later: plain, Jinja, `!vault` or `{secret: ...}`."""

SECRET: dict[str, Any] = {"x-socle-secret": True}


def Secret(description: str, **options: Any) -> Any:
    """A field that holds a secret: a literal in it is warned about."""
    return Field(description=description, json_schema_extra=SECRET, **options)


Label = Annotated[
    str,
    matching(
        r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "a DNS name of one part: a lower-case letter, then letters, digits and '-', at most 63 and not '-' at the end",
    ),
]
Key = Annotated[
    str,
    matching(
        r"[a-z](?:[a-z0-9_-]{0,61}[a-z0-9])?", "a lower-case letter, then letters, digits, '-' and '_', at most 63"
    ),
]
Domain = Annotated[
    str,
    matching(
        r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "a domain name in lower case such as platform.example.org",
    ),
]
HostName = Annotated[
    str,
    matching(
        r"(?=.{1,253}\Z)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "a host name in lower case",
    ),
]
Interface = Annotated[
    str, matching(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", "a network interface's name, at most 15 characters")
]

_UNITS = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}


def mebibytes(size: str) -> int:
    number, unit = size.split()
    return int(float(number) * _UNITS[unit])


def _size(value: Any) -> str:
    wanted = "a size such as 4 GiB (MiB, GiB or TiB)"
    refuse_lazy(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise wrong(found(value), wanted, f"did you mean {value} GiB?")
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([A-Za-z]{1,12})", text_of(value, wanted).strip())
    if not match:
        raise wrong(found(value), wanted)
    number, unit = match.groups()
    if unit not in _UNITS:
        near = next((known for known in _UNITS if known[0].lower() == unit[0].lower()), "")
        raise wrong(found(value), wanted, f"did you mean {number} {near}?" if near else "")
    if float(number) * _UNITS[unit] < 1:
        raise wrong(found(value), "a size of at least 1 MiB")
    if float(number) * _UNITS[unit] != int(float(number) * _UNITS[unit]):
        raise wrong(found(value), "a whole number of MiB")
    return f"{number} {unit}"


Size = Annotated[
    str,
    Rule(_size, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(MiB|GiB|TiB)$", "examples": ["16 GiB"]}),
]


def _address(value: Any) -> str:
    wanted = "an IPv4 address such as 203.0.113.11"
    text = text_of(value, wanted)
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        hint = "write the network in `network:`, not here" if "/" in text else ""
        raise wrong(found(text), wanted, hint) from None


def address_or_none(value: Any) -> str:
    return "none" if value == "none" else _address(value)


def _network(value: Any) -> str:
    wanted = "an IPv4 network such as 10.10.0.0/16"
    text = text_of(value, wanted)
    if "/" not in text:
        raise wrong(found(text), wanted, "a '/' and the length of the prefix are missing")
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError:
        pass
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        raise wrong(found(text), wanted) from None
    raise wrong(f"{found(text)}, an address inside a network", wanted, f"did you mean {network}?")


def _range(value: Any) -> str:
    wanted = "an address (10.10.1.5), a range (10.10.1.5-10.10.1.20) or a network (10.10.1.0/24)"
    text = text_of(value, wanted).replace(" ", "")
    if "/" in text:
        return _network(text)
    if "-" in text:
        first, _dash, last = text.partition("-")
        try:
            if ipaddress.IPv4Address(first) <= ipaddress.IPv4Address(last):
                return f"{ipaddress.IPv4Address(first)}-{ipaddress.IPv4Address(last)}"
        except ValueError:
            raise wrong(found(text), wanted) from None
        raise wrong(f"{found(text)}, which ends before it begins", wanted, f"did you mean {last}-{first}?")
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise wrong(found(text), wanted) from None


_Item = TypeVar("_Item")
OneOrMany = Annotated[list[_Item], Rule(lambda value: value if isinstance(value, list) else [value])]
"""A value, or a list of them; always a list afterwards."""

Address = Annotated[str, Rule(_address, {"type": "string", "format": "ipv4"})]
Network = Annotated[str, Rule(_network, {"type": "string", "pattern": r"^[0-9.]+/[0-9]{1,2}$"})]
Range = Annotated[str, Rule(_range, {"type": "string", "pattern": r"^[0-9.]+([/-][0-9.]+)?$"})]


def _url(value: Any) -> Any:
    if isinstance(value, (dict, Vault)) or is_template(value):
        return _lazy(value)
    return _matching(r"https?://[A-Za-z0-9.\[\]:_-]+(?:/\S*)?", "a URL such as https://vault.example.org:8200", value)


Url = Annotated[Any, Rule(_url, _LAZY_SCHEMA)]


def _email(value: Any) -> Any:
    if isinstance(value, (dict, Vault)) or is_template(value):
        return _lazy(value)
    return _matching(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}", "an e-mail address", value)


Email = Annotated[Any, Rule(_email, _LAZY_SCHEMA)]


ReleaseVersion = Annotated[
    str,
    matching(r"v?[0-9]+(?:\.[0-9]+){0,3}(?:[-+.][0-9A-Za-z.-]+)?", 'a version in quotes such as "17" or "8.0"'),
]


def _duration(value: Any) -> str:
    return _matching(r"[1-9][0-9]{0,5} ?(?:s|m|h|d|w)", "a duration such as 30m, 6h or 14d", value)


Duration = Annotated[str, Rule(_duration, {"type": "string", "pattern": "^[1-9][0-9]* ?[smhdw]$"})]
Clock = Annotated[str, matching(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", "a time of day such as 03:30")]
