# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on the lab: from a manifest to a rack that works, that a second run leaves alone, and that goes."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from fixture_rack import lab, until  # noqa: E402  # lies in the lab's folder
from rack import hypervisors  # noqa: E402  # as above
from rack.command import inside  # noqa: E402  # as above
from rack.lab import Lab  # noqa: E402  # as above

PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
GATEWAY = "203.0.113.50"
# A part of the whole rack: what CI has time for.
COUNTS = {"load-balancer": 0, "control": 0, "worker": 1}
SCAN = """
import asyncio, sys
async def probe(port, gate):
    async with gate:
        try:
            _reader, writer = await asyncio.wait_for(asyncio.open_connection(sys.argv[1], port), 1)
        except (OSError, asyncio.TimeoutError):
            return
        print(port)
        writer.close()
async def main():
    gate = asyncio.Semaphore(800)
    await asyncio.gather(*(probe(port, gate) for port in range(1, int(sys.argv[2]))))
asyncio.run(main())
"""


class Site:
    """A manifest and the lab that it is for."""

    def __init__(self, made: Lab, folder: Path) -> None:
        self.lab, self.inventory = made, folder / "inventory"
        shutil.copytree(ROOT / "inventories" / "lab", self.inventory)
        manifest = self.inventory / "platform.socle.yml"
        text = manifest.read_text().replace("/run/socle-lab/lab/", f"{made.state}/")
        for group, count in COUNTS.items():
            text = re.sub(rf"^(  {group}: {{count: )\d+", rf"\g<1>{count}", text, flags=re.M)
        manifest.write_text(text)

    def command(self, playbook: str, *more: str) -> list[str]:
        words = [PLAYBOOK, str(ROOT / "playbooks" / playbook), "-i", str(self.inventory), *more]
        return inside(self.lab.netns, *words)

    def play(self, playbook: str, *more: str) -> str:
        done = subprocess.run(
            self.command(playbook, *more), cwd=ROOT, env=self.lab.environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        return done.stdout

    def machines(self) -> set[str]:
        return {self.lab.rack.get(name).hostname for name in self.lab.rack.names()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with lab("test-site") as made:
        made.up_with_hypervisors(hypervisors.DEFAULT)
        found = Site(made, tmp_path_factory.mktemp("site"))
        found.play("site.yml")
        yield found


def changed(output: str) -> dict[str, int]:
    """From the recap: what each host says."""
    return {name: int(count) for name, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, flags=re.M)}


def test_the_rack_is_what_the_manifest_says(site: Site) -> None:
    """Catches a run that ends well without machines, without a volume, or without a gateway."""
    assert site.machines() == {"vpn-1", "gluster-1", "gluster-2", "gluster-3", "worker-1"}
    rack = site.lab.rack
    ids = {rack.get(name).hostname: name for name in rack.names()}
    code, out, _err = rack.execute(ids["gluster-1"], "gluster", "volume", "info", "shared")
    assert code == 0
    assert "Number of Bricks: 1 x 3 = 3" in out
    assert "Status: Started" in out
    assert rack.execute(ids["vpn-1"], "sh", "-c", "ss -lunH sport = :1194 | grep -q 1194")[0] == 0


def test_a_second_run_changes_nothing(site: Site) -> None:
    """Catches a task that changes something each time, in any phase, on any host."""
    counts = changed(site.play("site.yml"))
    assert set(counts) >= {"compute1", "vpn-1", "gluster-1", "worker-1"}
    assert {name: count for name, count in counts.items() if count} == {}


def test_a_stranger_finds_no_open_port(site: Site) -> None:
    """Catches SSH, or anything else over TCP, that answers on the public side: only the VPN's UDP port is open."""
    last = "65536" if os.environ.get("SOCLE_LONG") else "2048"
    found = subprocess.run(
        inside(site.lab.netns, sys.executable, "-c", SCAN, GATEWAY, last), capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []


def test_the_plan_of_a_converged_rack_is_empty(site: Site) -> None:
    """Catches a plan that announces what site.yml would not do."""
    assert "nothing to change" in site.play("plan.yml").lower()


@pytest.mark.long
def test_killed_at_any_moment_it_is_finished_by_the_next_run(site: Site) -> None:
    """Catches a run that dies and leaves a rack which the next one doubles, breaks or cannot finish."""
    chance = random.Random(11)
    wanted = site.machines()
    site.play("destroy.yml", "-e", "socle_destroy=lab")
    for _turn in range(20):
        process = subprocess.Popen(
            site.command("site.yml"), cwd=ROOT, env=site.lab.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(chance.uniform(3, 60))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    site.play("site.yml")
    assert site.machines() == wanted
    assert len(site.lab.rack.names()) == len(wanted)
    assert sum(changed(site.play("site.yml")).values()) == 0


def test_destroyed_by_name_only(site: Site) -> None:
    """Catches machines that go without the platform's name having been said, or that stay when it was."""
    before = site.machines()
    refused = subprocess.run(
        site.command("destroy.yml"), cwd=ROOT, env=site.lab.environment(), capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert site.machines() == before
    site.play("destroy.yml", "-e", "socle_destroy=lab")
    # The books are empty at once; containers take a moment to go.
    until("the containers are gone", lambda: site.lab.rack.names() == [], 60)
