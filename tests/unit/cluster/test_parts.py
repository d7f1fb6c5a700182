# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the decision and of the probe that stand alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.module_utils._cluster import machine, wal, x509
from ansible_collections.socle.platform.plugins.module_utils._cluster.gate import View, closed, quorum
from ansible_collections.socle.platform.plugins.module_utils._cluster.log import last_reason
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import NEXT, next_steps
from ansible_collections.socle.platform.plugins.module_utils._cluster.state import Member, State, parse
from ansible_collections.socle.platform.plugins.module_utils._cluster.versions import newest, plain, skipped
from hypothesis import given, settings
from hypothesis import strategies as st

MEMBERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9).map(
    lambda flags: tuple(
        Member(f"e{n}", f"c{n}", f"10.0.0.{n}", learner, healthy) for n, (learner, healthy) in enumerate(flags)
    )
)


def committing(members: list[Member]) -> bool:
    voters = [member for member in members if not member.learner]
    return bool(voters) and sum(member.healthy for member in voters) >= quorum(len(voters))


@given(MEMBERS, st.sampled_from(["restart", "remove", "join"]), st.integers(0, 9), st.integers(0, 9))
def test_whatever_the_gate_lets_through_leaves_etcd_committing(
    members: tuple[Member, ...], act: str, leads: int, target: int
) -> None:
    """Catches a gate that opens for an act after which too few members are left, now or when one dies in it."""
    view = View(members, f"e{leads}", {member.name: member.healthy for member in members})
    key = f"c{target}"
    if closed(view, act, key):
        return
    assert committing([*members])
    rest = [member for member in members if member.name != key]
    if act == "restart" and len(view.voters) > 2:
        away = [*rest, *(Member(m.id, learner=m.learner) for m in members if m.name == key)]
        assert committing(away)
    if act == "remove" and len(rest) < len(members):
        assert committing(rest)
        assert leads != target or len(view.voters) == 1
    if act == "join":
        # The new one dies the moment it has become a voter: only a cluster that was whole bears that, from three on.
        assert committing([*members, Member("new")]) or len(view.voters) == 1


@given(st.integers(1, 99))
def test_a_quorum_is_a_majority(voters: int) -> None:
    """Catches an off by one, for odd or even numbers."""
    assert 2 * quorum(voters) > voters >= 2 * (quorum(voters) - 1)


CONFIG = "/var/lib/kubelet/config.yaml"
LOG = f"""
I1121 18:40:58.000001    1234 server.go:100] "Starting to listen"
E1121 18:40:59.123456    1234 run.go:72] "command failed" err="failed to load kubelet config file, path: {CONFIG}"
E1121 18:41:00.123456    1234 controller.go:145] "Failed to ensure lease exists, will retry" err="connection refused"
I1121 18:41:01.000001    1234 server.go:100] "Goes on"
"""


def test_the_reason_is_the_cause_and_not_its_echo() -> None:
    """Catches a report that shows the newest line, though it only follows from an older one."""
    assert last_reason(LOG).startswith("command failed: failed to load kubelet config file")
    assert last_reason("\n".join(LOG.splitlines()[3:])).endswith("connection refused")
    assert not last_reason("Started kubelet.service\n")


@given(st.binary(max_size=400))
def test_no_content_of_a_certificate_or_a_log_is_a_traceback(content: bytes) -> None:
    """Catches a damaged file that ends the probe instead of being told."""
    pem = b"-----BEGIN CERTIFICATE-----\n" + content + b"\n-----END CERTIFICATE-----\n"
    for read in (lambda: x509.der(pem), lambda: x509.read(content)):
        try:
            read()
        except ValueError as error:
            assert str(error)


@settings(max_examples=60)
@given(head=st.binary(max_size=200))
def test_a_damaged_log_of_etcd_tells_nothing(head: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Catches a probe that dies of an etcd folder, which is the very place where things are damaged."""
    folder = tmp_path_factory.mktemp("etcd")
    (folder / "member" / "wal").mkdir(parents=True)
    (folder / "member" / "wal" / "0-0.wal").write_bytes(head)
    assert wal.has_data(folder)
    assert isinstance(wal.identity(folder), wal.Identity)


def test_a_bare_machine_is_told_without_a_word_of_trouble(tmp_path: Path) -> None:
    """Catches a probe that needs anything to be installed."""
    places = machine.Places(tmp_path / "kubernetes", tmp_path / "kubelet", tmp_path / "etcd")
    found = machine.look("w1", "10.0.0.1", places, runner=lambda _argv: "")
    assert found == State(
        "w1",
        "10.0.0.1",
        packages=dict.fromkeys(("kubeadm", "kubelet", "kubectl", "containerd"), ""),
        units={"containerd": "", "kubelet": ""},
    )
    assert parse(State, asdict(found)) == found


def test_packages_daemons_and_reasons_are_those_of_the_machine() -> None:
    """Catches a package that is removed but not purged counted as there, or a unit that does not exist."""

    def runner(argv: tuple[str, ...]) -> str:
        answers = {
            "dpkg-query": "kubeadm 1.36.3-1.1 installed\nkubelet 1.36.3-1.1 config-files\n",
            "containerd": "containerd github.com/containerd/containerd/v2 v2.3.7 0123456789abcdef\n",
            "systemctl": f"LoadState={'loaded' if argv[-1] == 'kubelet' else 'not-found'}\nActiveState=activating\n",
            "journalctl": LOG,
        }
        return answers[argv[0]]

    found = machine.look("w1", "", machine.Places(Path("/none"), Path("/none"), Path("/none")), runner=runner)
    assert found.packages == {"kubeadm": "1.36.3", "kubelet": "", "kubectl": "", "containerd": "2.3.7"}
    assert found.units == {"containerd": "", "kubelet": "activating"}
    assert found.reason.startswith("command failed")


def test_versions_compare_as_numbers() -> None:
    """Catches 1.9 that passes for newer than 1.10, and a minor that is skipped unseen."""
    assert newest(["v1.9.11", "1.10.0-1.1", "", "nonsense"]) == "1.10.0"
    assert plain("3.6.8-0") == "3.6.8"
    assert [skipped("1.34.9", new) for new in ("1.34.10", "1.35.4", "1.36.3")] == ["", "", "1.35"]


def test_a_version_without_its_patch_is_refused() -> None:
    """Catches a manifest's 1.36 that would be installed again in every round."""
    defaults = {name: option["default"] for name, option in NEXT.items() if "default" in option}
    told = next_steps({**defaults, "machines": {}, "version": "1.36", "control_planes": {"c1": "10.0.0.1"}})
    assert "1.36.3" in told["refusal"]
    assert not told["steps"]
