# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in after whatever happened: runs, runs that died, time, lost profiles."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._openvpn import pki, tlscrypt
from cryptography import x509
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from .world import START, Killed, World

PEOPLE = ["ada", "grace", "linus"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    real = pki.now
    yield World(tmp_path)
    pki.now = real  # type: ignore[assignment]


def numbers(lists: Iterable[str]) -> list[int]:
    extensions = [x509.load_pem_x509_crl(text.encode()).extensions for text in lists]
    return [found.get_extension_for_class(x509.CRLNumber).value.crl_number for found in extensions]


def words(plan: engine.Plan) -> dict[str, str]:
    return {change.key: change.action.value for change in plan.pending}


def test_second_run_changes_nothing(world: World) -> None:
    """Would catch a certificate, a list or a profile that is made anew each time."""
    world.given["people"] = PEOPLE
    assert words(world.plan())["person ada"] == "create"
    world.good()
    before = world.copy()
    assert words(world.plan()) == {}
    world.good()
    assert world.store == before


def test_certificates_are_what_openssl_takes_for_this_purpose(world: World, tmp_path: Path) -> None:
    """Would catch one that another program refuses, a person who can pose as a gateway, and an empty list."""
    world.given["people"] = ["ada", "grace"]
    world.moment = pki.now()
    world.good()
    world.given["people"] = ["ada"]
    world.good()
    house = world.house()
    assert house.authority is not None
    authority = tmp_path / "ca.pem"
    authority.write_text(house.authority.pem + house.register.lists[0])

    def verify(path: str, purpose: str) -> str:
        leaf = tmp_path / "leaf.pem"
        leaf.write_text(world.fields(path)["certificate"])
        argv = ["openssl", "verify", "-x509_strict", "-crl_check", "-purpose", purpose, "-CAfile", authority, leaf]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "leaf.pem: OK" in verify("people/ada", "sslclient")
    assert "leaf.pem: OK" in verify("gateways/vpn-1", "sslserver")
    assert "certificate revoked" in verify("people/grace", "sslclient")
    assert "purpose" in verify("people/ada", "sslserver")
    assert "purpose" in verify("gateways/vpn-1", "sslclient")


def test_who_comes_back_gets_a_new_certificate_and_the_old_one_stays_revoked(world: World) -> None:
    """Would catch a list that forgets, and a person who can never come back."""
    world.given["people"] = ["ada"]
    world.good()
    world.given["people"] = []
    world.good()
    assert not (world.folder / "profiles" / "ada.ovpn").exists()
    world.given["people"] = ["ada"]
    world.good()
    old, new = world.every_certificate("ada")
    assert old.serial in world.in_force()
    assert new.serial not in world.in_force()


def test_lost_profile_is_revoked_once(world: World) -> None:
    """Would catch a lost profile that still works, and a date that makes a new one in each run."""
    world.given["people"] = ["ada", "grace"]
    world.good()
    world.later(days=3)
    world.given["reissue"] = {"ada": world.moment.strftime("%Y-%m-%d")}
    assert words(world.plan()) == {"person ada": "update"}
    world.good()
    old, new = world.every_certificate("ada")
    assert world.in_force() == {old.serial}
    assert new.serial != old.serial
    assert words(world.plan()) == {}
    world.later(days=1)
    assert words(world.plan()) == {}


def test_renewed_before_the_end_and_the_old_one_stays_good(world: World) -> None:
    """Would catch renewing too late, too early, or by revoking what people still use."""
    world.given["people"] = ["ada"]
    world.good()
    world.later(days=334)
    assert "person ada" not in words(world.plan())
    world.good()
    world.later(days=2)
    assert words(world.plan()) == {"person ada": "update", "gateway vpn-1": "update"}
    world.good()
    old, new = world.every_certificate("ada")
    assert new.until - old.until >= timedelta(days=335)
    assert not world.in_force()
    assert "certificate" in (world.folder / "profiles" / "ada.ovpn").read_text().lower()


def test_lists_are_signed_ahead_and_a_gateway_always_has_one_that_counts(world: World) -> None:
    """Would catch a gap between two lists, and lists that last longer than was asked for."""
    world.given.update(people=["ada"], crl_days=30, crl_ahead_days=180)
    world.good()
    for day in range(180):
        world.in_force(world.moment + timedelta(days=day))
    with pytest.raises(AssertionError, match="nobody gets in"):
        world.in_force(world.moment + timedelta(days=181))
    house = world.house()
    assert house.authority is not None
    for text in house.register.lists:
        found = house.authority.listed(text)
        assert found is not None
        assert found[0].ends - found[0].begins <= timedelta(days=30, hours=1)
    before = numbers(house.register.lists)
    assert before == sorted(set(before))
    world.given["people"] = []
    world.good()
    assert min(numbers(world.house().register.lists)) > max(before)


def test_every_list_that_was_signed_ahead_holds_the_revoked(world: World) -> None:
    """Would catch somebody who gets in again when the next list's time comes."""
    world.given["people"] = ["ada", "grace"]
    world.good()
    world.given["people"] = ["ada"]
    world.good()
    (gone,) = world.every_certificate("grace")
    for day in range(0, 180, 5):
        assert world.in_force(world.moment + timedelta(days=day)) == {gone.serial}


def test_lists_are_renewed_when_half_of_their_time_is_over(world: World) -> None:
    """Would catch lists that nobody renews until they run out."""
    world.good()
    world.later(days=89)
    assert words(world.plan()) == {}
    world.later(days=2)
    assert words(world.plan()) == {"revocations": "update"}
    world.good()
    world.in_force(world.moment + timedelta(days=179))


def test_profile_is_for_its_reader_alone(world: World) -> None:
    """Would catch keys that others can read, and a folder that others can look into."""
    world.given["people"] = ["ada"]
    world.good()
    file = world.folder / "profiles" / "ada.ovpn"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.chmod(0o644)
    assert words(world.plan()) == {"person ada": "update"}
    world.good()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.parent.chmod(0o755)
    (refusal,) = world.plan().refusals
    assert "others may look into it (mode 0755)" in refusal
    assert "chmod 700" in refusal


def test_nothing_secret_is_in_plan_or_result(world: World) -> None:
    """Would catch a key in a diff, a message or a plan file."""
    world.given["people"] = ["ada"]
    made = world.plan()
    result = world.good()
    shown = json.dumps(made.as_dict()) + repr(result.outcomes) + repr(result.plan)
    for path in ("ca", "tls_crypt_v2", "people/ada", "gateways/vpn-1"):
        for name, value in world.fields(path).items():
            if name in ("key", "tls_crypt"):
                assert value.splitlines()[1] not in shown
    sent = world.house().register.for_gateways(world.moment)
    assert "PRIVATE" not in sent


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"people": ["../ada"]}, "cannot be a name"),
        ({"people": ["ada"], "reissue": {"adda": "2026-11-01"}}, "nobody among people and gateways"),
        ({"people": ["ada"], "reissue": {"ada": "2027-11-01"}}, "in the future"),
        ({"people": ["ada"], "reissue": {"ada": "yesterday"}}, "wanted a day as in"),
        ({"certificate_days": 20}, "every run would renew everything"),
        ({"people": ["ada"], "gateways": []}, "name at least one gateway"),
    ],
)
def test_refused_before_anything_is_written(world: World, given: dict[str, object], said: str) -> None:
    """Would catch a mistake that is found half-way through."""
    world.given.update(given)
    assert any(said in refusal for refusal in world.plan().refusals)
    with pytest.raises(engine.Refused):
        world.run()
    assert world.store.secrets == {}


def test_another_authority_under_the_path_is_seen(world: World) -> None:
    """Would catch certificates that no gateway takes, after somebody restored an older authority."""
    world.given["people"] = ["ada"]
    world.good()
    del world.store.secrets["openvpn/ca"]
    planned = words(world.plan())
    assert planned["authority"] == "create"
    world.good()
    world.good()
    house = world.house()
    assert house.authority is not None
    assert house.authority.signed(world.fields("people/ada")["certificate"]) is not None
    assert words(world.plan()) == {}


def test_damaged_register_is_said_and_not_overwritten(world: World) -> None:
    """Would catch forgetting who is revoked because of a typing error in the backend."""
    world.given["people"] = ["ada"]
    world.good()
    kept = world.store.secrets["openvpn/register"]
    kept[-1] = type(kept[-1])(fields={**kept[-1].fields, "certificates": "[{"})
    with pytest.raises(engine.EngineError, match=r"secret openvpn/register .*Restore its version before"):
        world.plan()


def test_two_runs_at_once_lose_nobody(world: World) -> None:
    """Would catch a register that the last writer overwrites."""
    world.given["people"] = ["ada"]
    world.good()
    vault = world.vault(world.parameters())
    slow = world.house().register
    world.given["people"] = ["ada", "grace"]
    world.good()
    calls = []

    def change(register: object) -> object:
        calls.append(register)
        if len(calls) == 1:
            # Somebody else writes between our look and our write.
            other = world.vault(world.parameters())
            fields = {**world.fields("register"), "note": "theirs"}
            other.write("openvpn/register", fields)
        return register.without([slow.entries[0].serial], START)  # type: ignore[attr-defined]

    after = vault.change_register(change)  # type: ignore[arg-type]
    assert len(calls) == 2
    assert {entry.name for entry in after.entries} == {"ada", "grace", "vpn-1"}
    assert world.fields("register")["note"] == "theirs"


def test_keys_of_tls_crypt_open_for_their_gateways_only() -> None:
    """Would catch a client key that is not bound to its gateways, or that was changed."""
    server, other = tlscrypt.server_key(), tlscrypt.server_key()
    client = tlscrypt.client_key(server, "ada")
    assert tlscrypt.opens(server, client) == "ada"
    assert tlscrypt.opens(other, client) is None
    raw = bytearray(base64.b64decode("".join(client.splitlines()[1:-1])))
    # In counter mode a flipped bit of what is sealed flips a bit of what is read: here, of the name.
    raw[-3] ^= 1
    changed = base64.b64encode(raw).decode()
    first, *_middle, last = client.splitlines()
    assert tlscrypt.opens(server, f"{first}\n{changed}\n{last}") is None
    lines = client.splitlines()
    lines[3] = ("A" if lines[3][0] != "A" else "B") + lines[3][1:]
    assert tlscrypt.opens(server, "\n".join(lines)) is None


class Life(RuleBasedStateMachine):
    """Any order of changes, runs, deaths and time; after a run that ended, only the right people get in."""

    folder: Path

    @initialize()
    def begin(self) -> None:
        self.world = World(self.folder)
        self.lost: dict[str, str] = {}
        self.settled = False
        self.world.given["people"] = []

    @rule(people=st.sets(st.sampled_from(PEOPLE)))
    def name_people(self, people: set[str]) -> None:
        self.world.given["people"] = sorted(people)
        self.world.given["reissue"] = {name: day for name, day in self.lost.items() if name in people}
        self.settled = False

    @rule(name=st.sampled_from(PEOPLE))
    def lose(self, name: str) -> None:
        self.world.later(minutes=1)
        self.lost[name] = self.world.moment.strftime("%Y-%m-%dT%H:%MZ")
        self.world.later(minutes=1)
        self.name_people(set(self.world.given["people"]))

    @rule(days=st.sampled_from([1, 40, 100, 170, 340, 400]))
    def wait(self, days: int) -> None:
        self.world.later(days=days)
        self.settled = False

    @rule(after=st.integers(0, 8))
    def run_and_die(self, after: int) -> None:
        self.world.store.dies_after = after
        try:
            self.world.run()
        except Killed:
            pass
        finally:
            self.world.store.dies_after = None

    @rule()
    def run(self) -> None:
        self.world.good()
        self.settled = True
        self.check()

    @precondition(lambda self: self.settled)
    @rule()
    def run_again(self) -> None:
        assert words(self.world.plan()) == {}

    def check(self) -> None:
        world, house = self.world, self.world.house()
        assert house.authority is not None
        listed = world.in_force()
        register = house.register
        for name in PEOPLE:
            seen = world.every_certificate(name)
            wanted = name in world.given["people"]
            for item in seen[:-1] if wanted else seen:
                entry = register.by_serial(item.serial)
                assert entry is not None, "a certificate that nobody can revoke"
                lost = world.given["reissue"].get(name) if wanted else None
                if item.until > world.moment and (not wanted or (lost and f"{entry.issued:%Y-%m-%dT%H:%MZ}" < lost)):
                    assert item.serial in listed, f"{name} still gets in"
            if wanted:
                assert seen[-1].serial not in listed
                assert seen[-1].until - world.moment >= timedelta(days=30)
                profile = (world.folder / "profiles" / f"{name}.ovpn").read_text()
                assert world.fields(f"people/{name}")["key"].strip() in profile
            else:
                assert not (world.folder / "profiles" / f"{name}.ovpn").exists()


def test_only_the_right_people_get_in_whatever_happened(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Would catch a revoked certificate that is on no list, or a person without a good one, after any kind of death."""
    real = pki.now

    class Here(Life):
        @property
        def folder(self) -> Path:  # type: ignore[override]
            if not hasattr(self, "_folder"):
                self._folder = tmp_path_factory.mktemp("life")
            return self._folder

    try:
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=40, stateful_step_count=14, suppress_health_check=list(HealthCheck), deadline=None
            ),
        )
    finally:
        pki.now = real  # type: ignore[assignment]


def test_the_profile_of_somebody_who_left_goes_even_after_its_certificate_ended(world: World) -> None:
    """Would catch a key that lies there for ever because its certificate ended before the name was taken out."""
    world.given = {"people": ["ada"]}
    world.good()
    assert (world.folder / "profiles" / "ada.ovpn").exists()
    world.given = {"people": []}
    world.moment += timedelta(days=400)
    world.good()
    assert not (world.folder / "profiles" / "ada.ovpn").exists()
    assert not world.plan().pending
