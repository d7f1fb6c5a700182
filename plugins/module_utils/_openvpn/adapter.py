# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""People, gateways and revocations as objects of the engine."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, Reader, Step, Writer
from .._secrets.adapter import SPEC
from . import pki, profile, tlscrypt
from .pki import GATEWAY, PERSON, Authority
from .register import Entry, Lists, Register, moment_of
from .vault import Vault

AUTHORITY, REVOCATIONS = "authority", "revocations"
VALID, KEPT, GOOD, OLDER, UNKNOWN = "valid", "kept", "good", "valid, and an older one too", "not in the register"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")

_DAYS: dict[str, Any] = {"type": "int"}


def spec() -> dict[str, Any]:
    gateway = {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}}
    return {
        "name": {"type": "str", "required": True},
        "path": {"type": "str", "default": "openvpn"},
        "people": {"type": "list", "elements": "str", "default": []},
        "revoke": {"type": "list", "elements": "str", "default": []},
        "reissue": {"type": "dict", "default": {}},
        "gateways": {"type": "list", "elements": "dict", "default": [], "options": gateway},
        "port": {"type": "int", "default": 1194},
        "protocol": {"type": "str", "choices": ["udp", "tcp"], "default": "udp"},
        "profiles": {"type": "path"},
        "profile_options": {"type": "list", "elements": "str", "default": []},
        "authority_days": {**_DAYS, "default": 3650},
        "certificate_days": {**_DAYS, "default": 365},
        "renew_days": {**_DAYS, "default": 30},
        "crl_days": {**_DAYS, "default": 30},
        "crl_ahead_days": {**_DAYS, "default": 180},
        **SPEC,
    }


def missing_libraries() -> list[tuple[str, str | None]]:
    """For an Adapter's `requires`."""
    try:
        import cryptography.x509  # noqa: F401  # looked for, not used
    except ImportError:
        return [("cryptography", traceback.format_exc())]
    return []


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    base = frozenset({AUTHORITY})
    yield Desired(AUTHORITY, {"certificate": KEPT, "tls_crypt": KEPT})
    for gateway in parameters["gateways"]:
        yield Desired(key(GATEWAY, gateway["name"]), {"certificate": VALID}, base)
    people: dict[str, Any] = {"certificate": VALID, "tls_crypt": VALID}
    if parameters.get("profiles"):
        people["profile"] = profile.WRITTEN
    for name in parameters["people"]:
        yield Desired(key(PERSON, name), people, base)
    for name in parameters["revoke"]:
        yield Desired(key(PERSON, name), present=False)
    yield Desired(REVOCATIONS, {"lists": GOOD}, base)


def key(role: str, name: str) -> str:
    return f"{role} {name}"


def parts(text: str) -> tuple[str, str]:
    role, _space, name = text.partition(" ")
    return role, name


class Rules:
    """What the parameters say about time."""

    def __init__(self, parameters: Mapping[str, Any], moment: datetime | None = None) -> None:
        self.moment = moment or pki.now()
        self.life = timedelta(days=parameters["certificate_days"])
        self.renew = timedelta(days=parameters["renew_days"])
        self.lists = Lists(parameters["crl_days"], parameters["crl_ahead_days"])
        self.reissue: dict[str, datetime] = {}
        self.wrong: list[str] = []
        for name, since in parameters["reissue"].items():
            try:
                self.reissue[name] = moment_of(str(since))
            except ValueError:
                self.wrong.append(
                    f"reissue of {name}: found {since!r}, wanted a day as in 2026-11-30 or a moment as in "
                    "2026-11-30T12:00Z"
                )

    def condition(self, name: str, role: str, fields: Mapping[str, str] | None, house: House) -> str:
        """`valid`, or in words what the certificate of a person or gateway is."""
        register, authority = house.register, house.authority
        since = self.reissue.get(name)
        counting = register.valid(role, name, self.moment)
        if not fields or not fields.get("certificate") or not fields.get("key"):
            return "registered, and its key is lost"
        seen = authority.signed(fields["certificate"]) if authority else None
        if seen is None or seen.name != name:
            return "not of this authority"
        entry = register.by_serial(seen.serial)
        if entry is not None and entry.revoked:
            return "revoked"
        if seen.until - self.moment < self.renew:
            return f"valid until {seen.until:%Y-%m-%d} only"
        if entry is None:
            return UNKNOWN
        if since is not None and entry.issued < since:
            return f"from before {since:%Y-%m-%d %H:%M}"
        if since is not None and any(other.issued < since for other in counting):
            return OLDER
        return VALID


class House:
    """What was read of the backend."""

    def __init__(self, vault: Vault) -> None:
        self.authority: Authority | None = vault.authority()
        self.tls_crypt: str | None = vault.tls_crypt()
        self.register: Register = vault.register()


class AccessReader(Reader):
    kind = "OpenVPN"

    def __init__(self, parameters: Mapping[str, Any], vault: Vault) -> None:
        self.parameters, self.vault = parameters, vault

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        rules, house = Rules(self.parameters), House(self.vault)
        if house.authority is not None:
            tls_crypt = KEPT if house.tls_crypt else "missing"
            yield Current(AUTHORITY, {"certificate": KEPT, "tls_crypt": tls_crypt})
            lack = house.register.lists_lack(house.authority, rules.lists, rules.moment)
            yield Current(REVOCATIONS, {"lists": lack or GOOD})
        wanted = {parts(item.key) for item in desired if " " in item.key}
        unwanted = {parts(item.key) for item in desired if " " in item.key and not item.present}
        holders = house.register.holders(rules.moment) | self._left(house)
        for role, name in sorted(wanted | holders):
            if (role, name) not in wanted:
                yield Current(key(role, name), {"certificate": VALID}, owned=True)
                continue
            fields = self._fields(role, name)
            state = rules.condition(name, role, fields, house)
            # What is kept of somebody who shall be gone is no more than a record, once nothing of it lets anybody in.
            kept = fields is not None and state != "revoked" and (role, name) not in unwanted
            if (role, name) in holders or kept:
                yield Current(key(role, name), self._state(role, name, state, fields, house), owned=True)

    def _left(self, house: House) -> set[tuple[str, str]]:
        """People whose profile still lies there, whatever became of its certificate: one that ended gets nobody in."""
        folder = self.parameters.get("profiles")
        people = {entry.name for entry in house.register.entries if entry.role == PERSON} if folder else set()
        return {(PERSON, name) for name in people if profile.file_of(str(folder), name).exists()}

    def _fields(self, role: str, name: str) -> Mapping[str, str] | None:
        stored = self.vault.read(self.vault.holder(role, name))
        return stored.fields if stored else None

    def _state(
        self, role: str, name: str, state: str, fields: Mapping[str, str] | None, house: House
    ) -> dict[str, Any]:
        found = {"certificate": state}
        if role == PERSON:
            wrapped = (fields or {}).get("tls_crypt", "")
            opened = tlscrypt.opens(house.tls_crypt, wrapped) if house.tls_crypt else None
            found["tls_crypt"] = VALID if opened == name else "not of these gateways"
            folder = self.parameters.get("profiles")
            if folder:
                content = profile_of(self.parameters, name, fields, house)
                found["profile"] = profile.standing(profile.file_of(folder, name), content) if content else "missing"
        return found

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current
        rules = Rules(self.parameters)
        yield from rules.wrong
        names = [parts(item.key)[1] for item in desired if " " in item.key]
        for name in names:
            if not _NAME.match(name):
                yield (
                    f"{name!r} cannot be a name: wanted letters, digits and _ . - (it becomes part of a certificate, "
                    "a path and a file's name); rename it"
                )
        for name, since in rules.reissue.items():
            if name not in names:
                yield f"reissue of {name}: nobody among people and gateways has this name; correct or remove it"
            elif since > rules.moment:
                yield f"reissue of {name}: {since:%Y-%m-%d %H:%M} UTC is in the future; write when the profile was lost"
        if self.parameters["certificate_days"] <= self.parameters["renew_days"]:
            yield "certificate_days is not more than renew_days: every run would renew everything; raise it"
        for option in ("authority_days", "certificate_days", "crl_days", "crl_ahead_days"):
            if self.parameters[option] < 1:
                yield f"{option} is {self.parameters[option]}: wanted at least one day"
        folder = self.parameters.get("profiles")
        if folder:
            if not self.parameters["gateways"] and self.parameters["people"]:
                yield "profiles are to be written and gateways is empty: name at least one gateway with its address"
            lacking = profile.open_to_others(folder)
            if lacking:
                yield f"profiles: {folder}: {lacking}; keys must not lie there: chmod 700 it, or name another folder"

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del desired, current
        rules, authority = Rules(self.parameters), self.vault.authority()
        if authority is not None and authority.ends - rules.moment < rules.life:
            yield (
                f"the authority of the VPN ends on {authority.ends:%Y-%m-%d}, and every certificate with it: begin a "
                "new one in time, under another path, and hand out its profiles before the old ones end"
            )


def profile_of(parameters: Mapping[str, Any], name: str, fields: Mapping[str, str] | None, house: House) -> str | None:
    """The profile that a person should have, when everything it holds exists."""
    needed = ("certificate", "key", "tls_crypt")
    if house.authority is None or not fields or any(not fields.get(field) for field in needed):
        return None
    remotes = tuple(gateway["address"] for gateway in parameters["gateways"])
    options = tuple(parameters["profile_options"])
    way = profile.Way(parameters["name"], remotes, parameters["port"], parameters["protocol"], options)
    return profile.text(way, name, house.authority.pem, *(fields[field] for field in needed))


class AccessWriter(Writer):
    def __init__(self, parameters: Mapping[str, Any], vault: Vault) -> None:
        self.parameters, self.vault = parameters, vault
        self.rules = Rules(parameters)

    def create(self, change: Change, step: Step) -> None:
        if change.key == AUTHORITY:
            self.vault.make_authority(self.parameters["name"], self.parameters["authority_days"])
            if self.vault.tls_crypt() is None:
                self.vault.make_tls_crypt(tlscrypt.server_key())
        elif change.key == REVOCATIONS:
            self._sign()
        else:
            self._bring(*parts(change.key), set(change.desired.fields), step)

    def update(self, change: Change, step: Step) -> None:
        if change.key in (AUTHORITY, REVOCATIONS):
            self.create(change, step)
        else:
            self._bring(*parts(change.key), set(change.paths), step)

    def delete(self, change: Change, step: Step) -> None:
        del step
        role, name = parts(change.key)
        authority = self._authority()

        def without(register: Register) -> Register:
            serials = [entry.serial for entry in register.valid(role, name, self.rules.moment)]
            return self._revoked(register, serials, authority)

        self.vault.change_register(without)
        folder = self.parameters.get("profiles")
        if folder and role == PERSON:
            profile.remove([profile.file_of(folder, name)])

    def _bring(self, role: str, name: str, differing: set[str], step: Step) -> None:
        """One person or gateway to what it should be: certificate first, then what is made of it."""
        path, house = self.vault.holder(role, name), House(self.vault)
        stored = self.vault.read(path)
        fields = dict(stored.fields) if stored else None
        state = self.rules.condition(name, role, fields, house)
        if state == UNKNOWN and fields is not None:
            self._adopt(role, name, fields["certificate"], fields.get("issued", ""))
        elif state == OLDER:
            self._settle(role, name, None)
        elif state != VALID or (role == PERSON and "tls_crypt" in differing):
            fields = self._issue(role, name, path)
            if state not in (VALID, "registered, and its key is lost") and stored is not None:
                step.note("its profile is a new one: hand it out" if role == PERSON else "it has a new certificate")
        folder = self.parameters.get("profiles")
        if folder and role == PERSON:
            content = profile_of(self.parameters, name, fields, House(self.vault))
            if content is not None:
                file = profile.file_of(folder, name)
                profile.write(file, content)
                step.note(f"its profile is {file}")

    def _issue(self, role: str, name: str, path: str) -> dict[str, str]:
        """First into the register, so that no certificate is ever out of reach of a revocation."""
        authority, moment = self._authority(), self.rules.moment
        until = min(moment + self.rules.life, authority.ends)
        if until - moment < self.rules.renew:
            raise AdapterError(
                f"the authority ends on {authority.ends:%Y-%m-%d}, so a certificate would end before it is renewed",
                "Begin a new authority under another path.",
            )
        entry = Entry(name, role, pki.serial_number(), moment, until)
        self._settle(role, name, entry)
        issued = authority.issue(name, role, entry.serial, moment, until)
        fields = {
            "certificate": issued.certificate,
            "key": issued.key,
            "issued": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        }
        if role == PERSON:
            tls_crypt = self.vault.tls_crypt()
            if tls_crypt is None:
                raise AdapterError("there is no tls-crypt-v2 key of the gateways", "Run again.")
            fields["tls_crypt"] = tlscrypt.client_key(tls_crypt, name)
        self.vault.write(path, fields)
        return fields

    def _settle(self, role: str, name: str, entry: Entry | None) -> None:
        """Write a new certificate down, and revoke what is from before the moment it was lost."""
        authority, since = self._authority(), self.rules.reissue.get(name)

        def settled(register: Register) -> Register:
            older = [
                found.serial
                for found in register.valid(role, name, self.rules.moment)
                if since is not None and found.issued < since
            ]
            changed = register.with_entry(entry) if entry else register
            return self._revoked(changed, older, authority)

        self.vault.change_register(settled)

    def _adopt(self, role: str, name: str, certificate: str, issued: str) -> None:
        """A certificate that the register does not know, such as after it was restored from an older one."""
        seen = self._authority().signed(certificate)
        if seen is None:
            return
        begun = moment_of(issued) if issued else seen.until - self.rules.life
        entry = Entry(name, role, seen.serial, begun, seen.until)
        self.vault.change_register(
            lambda register: register if register.by_serial(entry.serial) else register.with_entry(entry)
        )

    def _sign(self) -> None:
        authority, rules = self._authority(), self.rules

        def signed(register: Register) -> Register:
            if not register.lists_lack(authority, rules.lists, rules.moment):
                return register
            return register.signed(authority, rules.lists, rules.moment)

        self.vault.change_register(signed)

    def _revoked(self, register: Register, serials: Sequence[str], authority: Authority) -> Register:
        """Revoked and on new lists in one write: nothing in between can be seen."""
        if not serials:
            return register
        gone = register.without(serials, self.rules.moment)
        return gone.signed(authority, self.rules.lists, self.rules.moment)

    def _authority(self) -> Authority:
        found = self.vault.authority()
        if found is None:
            raise AdapterError("there is no authority", "Run again; if it happens again, look into the backend.")
        return found


class Access:
    """One task's set; the store is opened by the first use."""

    def __init__(self) -> None:
        self.vault: Vault | None = None

    def reader(self, parameters: Mapping[str, Any]) -> Reader:
        self.vault = Vault(parameters)
        return AccessReader(parameters, self.vault)

    def writer(self, parameters: Mapping[str, Any]) -> Writer:
        return AccessWriter(parameters, Vault(parameters))

    def more(self, plan: Any, result: Any) -> dict[str, Any]:
        """What gateways need and nobody has to hide."""
        del plan, result
        empty = {"authority": "", "revocations": "", "certificates": {}}
        if self.vault is None:
            return empty
        try:
            house = House(self.vault)
            names = [gateway["name"] for gateway in self.vault.parameters["gateways"]]
            stored = {name: self.vault.read(self.vault.holder(GATEWAY, name)) for name in names}
        except AdapterError:
            return empty  # the task fails with this already
        return {
            "authority": house.authority.pem if house.authority else "",
            "revocations": house.register.for_gateways(pki.now()) if house.register.lists else "",
            "certificates": {name: item.fields.get("certificate", "") for name, item in stored.items() if item},
            "remarks": list(dict.fromkeys(self.vault.remarks)),
        }
