# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud is taken down by destroy.yml, by whoever types the platform's name and nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from tfprovider import Attached


def play(root: Path, folder: Path, env: dict[str, str], *argv: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *argv, "-i", str(folder / "hosts.yml")],
        cwd=root,
        env={**os.environ, **env, "SOCLE_PROGRESS": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def held(folder: Path) -> list[str]:
    """What the states hold."""
    return [
        resource["type"]
        for state in (folder / "states").rglob("*.tfstate")
        for resource in json.loads(state.read_text() or "{}").get("resources", [])
        if resource["mode"] == "managed"
    ]


def test_only_who_types_its_name_takes_a_cloud_down(
    root: Path, tmp_path: Path, attached: Attached, binary: str
) -> None:
    """Would catch a cloud that is destroyed by mistake, or one that destroy.yml leaves running and costing."""
    google = {
        "ansible_connection": "local",
        "clouds_platform": "cater",
        "clouds_layers": ["gcp_pubsub"],
        "clouds_state": {"backend": "local", "path": str(tmp_path / "states")},
        "clouds_work_dir": str(tmp_path / "work"),
        "clouds_binary": binary,
        "gcp_pubsub_project": "cater-prod",
        "gcp_pubsub_project_number": "123456789012",
        "gcp_pubsub_region": "europe-west1",
        "gcp_pubsub_topics": {"available": {}},
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"clouds": {"hosts": {"google": google}}}))
    books = ["playbooks/clouds.yml", "playbooks/destroy.yml"]
    code, text = play(root, tmp_path, attached.env, *books, "-e", "socle_destroy=caterer")
    assert code != 0 and "-e socle_destroy=cater (found: caterer)" in text, text[-3000:]
    assert "google_pubsub_topic" in held(tmp_path), text[-3000:]
    allow = ["-e", '{"clouds_allow": ["google_pubsub_topic", "google_pubsub_subscription"]}']
    code, text = play(root, tmp_path, attached.env, books[1], "-e", "socle_destroy=cater", *allow)
    assert code == 0, text[-3000:]
    assert held(tmp_path) == []
