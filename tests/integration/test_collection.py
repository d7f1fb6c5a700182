# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same tree works as a checkout anywhere, without being installed, and as an installed collection."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import tree

BIN = Path(sys.executable).parent


def run(cwd: Path, home: Path, *argv: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Start one of Ansible's programs with an environment that holds nothing of this checkout."""
    env = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        **extra,
    }
    return subprocess.run(
        [str(BIN / argv[0]), *argv[1:]], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def nothing(folder: Path) -> str:
    """A configuration that sets nothing."""
    (folder / "nothing.cfg").touch()
    return str(folder / "nothing.cfg")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree in a folder that Ansible knows nothing of."""
    target = tmp_path_factory.mktemp("somewhere") / "my-platform"
    tree.copy(target, link=True)
    return target


@pytest.fixture(scope="module")
def archive(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's archive, built from that checkout."""
    out = tmp_path_factory.mktemp("archive")
    done = run(checkout, out, "ansible-galaxy", "collection", "build", "--output-path", str(out))
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("socle-platform-*.tar.gz")
    return built


@pytest.mark.parametrize("playbook", ["playbooks/check.yml", "socle.platform.check"])
def test_a_checkout_works_in_place(checkout: Path, tmp_path: Path, playbook: str) -> None:
    """Would catch a checkout that needs an installation, by file name or by the collection's name."""
    done = run(checkout, tmp_path, "ansible-playbook", playbook, "-i", "inventories/onprem")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "control" in done.stdout


@pytest.mark.parametrize("playbook", ["playbooks/site.yml", "socle.platform.site"])
def test_site_is_found_in_place(checkout: Path, tmp_path: Path, playbook: str) -> None:
    """Would catch a phase of site.yml that only an installed collection finds."""
    done = run(checkout, tmp_path, "ansible-playbook", playbook, "-i", "inventories/onprem", "--list-tasks")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_checkout_works_from_elsewhere_without_its_configuration(checkout: Path, tmp_path: Path) -> None:
    """Would catch the collection being found through ansible.cfg only."""
    done = run(
        tmp_path, tmp_path, "ansible-playbook", str(checkout / "playbooks/check.yml"),
        "-i", str(checkout / "inventories/onprem"), ANSIBLE_CONFIG=nothing(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "control" in done.stdout


def test_the_archive_holds_what_users_need_and_nothing_else(archive: Path) -> None:
    """Would catch the virtual environment, a build folder or the in-place link in what we publish."""
    with tarfile.open(archive) as content:
        members = content.getnames()
    tops = {name.split("/")[0] for name in members}
    assert tops >= {"MANIFEST.json", "README.md", "LICENSE", "meta", "plugins", "playbooks"}
    assert not tops & {".venv", "build", ".git", ".ci", ".ansible", "ansible.cfg.bak"}
    assert not [name for name in members if name.startswith("playbooks/collections") or "__pycache__" in name]
    assert archive.stat().st_size < 5_000_000


def test_the_archive_works_installed(archive: Path, checkout: Path, tmp_path: Path) -> None:
    """Would catch a file that is missing from the archive, or a path that only a checkout has."""
    done = run(
        tmp_path, tmp_path, "ansible-galaxy", "collection", "install", "--offline", "-p", str(tmp_path / "installed"),
        str(archive),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = tmp_path / "mine" / "platform.socle.yml"
    manifest.parent.mkdir()
    manifest.write_text((checkout / "inventories/onprem/platform.socle.yml").read_text())
    for playbook in ("socle.platform.check", "socle.platform.site"):
        extra = ["--list-tasks"] if playbook.endswith("site") else []
        done = run(
            tmp_path, tmp_path, "ansible-playbook", playbook, "-i", str(manifest.parent), *extra,
            ANSIBLE_CONFIG=nothing(tmp_path), ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "installed"),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_plugin_is_documented(checkout: Path, tmp_path: Path) -> None:
    """Would catch a plugin whose documentation does not load for `ansible-doc`."""
    for path in sorted((checkout / "plugins").glob("*/*.py")):
        kind = {"modules": "module"}.get(path.parent.name, path.parent.name)
        if path.name.startswith("_") or kind not in {"module", "inventory", "lookup", "callback", "filter"}:
            continue
        done = run(checkout, tmp_path, "ansible-doc", "-t", kind, f"socle.platform.{path.stem}")
        assert done.returncode == 0, f"{path.stem}: {done.stderr}"
