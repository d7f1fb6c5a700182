# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's rules see the breach that each of them is for, and nothing in a clean tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import house

HEADER = "# SPDX-License-Identifier: GPL-3.0-or-later\n---\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with one correct role."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    role = tmp_path / "roles" / "demo"
    (role / "meta").mkdir(parents=True)
    (role / "defaults").mkdir()
    (role / "meta" / "argument_specs.yml").write_text(
        f"{HEADER}argument_specs:\n  main:\n    options:\n      demo_port: {{type: int, default: 80}}\n"
        "      demo_name: {type: str, required: true}\n"
    )
    (role / "defaults" / "main.yml").write_text(f"{HEADER}demo_port: 80\n")
    return tmp_path


def test_a_clean_tree_has_no_breach(tree: Path) -> None:
    """Would catch a rule that cries wolf."""
    assert house.breaches(tree) == []


@pytest.mark.parametrize(
    "name",
    ["k8s." + "gc" + "r.io/pause", "docker.io/" + "bit" + "nami/redis", "min" + "io/min" + "io:latest"],
)
def test_a_dead_source_is_named_with_its_line(tree: Path, name: str) -> None:
    """Would catch an image that nobody can pull any more."""
    (tree / "images.yml").write_text(f"{HEADER}image: {name}\n")
    (found,) = house.breaches(tree)
    assert found.startswith("images.yml:3:")


def test_the_living_neighbours_of_dead_sources_pass(tree: Path) -> None:
    """Would catch a rule too wide: sealed-secrets is published under the old name still."""
    (tree / "images.yml").write_text(HEADER + "image: docker.io/bit" + "nami/sealed-secrets-controller:0.36.6\n")
    assert house.breaches(tree) == []


@pytest.mark.parametrize("host", house.REGISTRY_HOSTS)
def test_a_package_registry_is_named(tree: Path, host: str) -> None:
    """Would catch a lock that writes the index addresses down."""
    (tree / "lock.txt").write_text(f"https://{host}/x\n")
    assert any(host in sentence for sentence in house.breaches(tree))


def test_a_default_that_differs_from_the_specs_is_named(tree: Path) -> None:
    """Would catch a role documented with another default than it has."""
    (tree / "roles/demo/defaults/main.yml").write_text(f"{HEADER}demo_port: 81\n")
    (found,) = house.breaches(tree)
    assert "demo_port is 81 here and 80 in argument_specs" in found


def test_variables_on_one_side_only_are_named(tree: Path) -> None:
    """Would catch a variable that is read but not documented, or documented but has no default."""
    (tree / "roles/demo/defaults/main.yml").write_text(f"{HEADER}demo_extra: 1\ndemo_name: x\n")
    found = "\n".join(house.breaches(tree))
    assert "demo_extra is not in meta/argument_specs.yml" in found
    assert "demo_name has no default there" in found
    assert "demo_port has a default here and none in defaults/main.yml" in found


def test_a_variable_without_the_roles_prefix_is_named(tree: Path) -> None:
    """Would catch two roles that read each other's variable by accident."""
    (tree / "roles/demo/defaults/main.yml").write_text(f"{HEADER}demo_port: 80\nport: 1\n")
    assert any("port lacks the role's prefix demo_" in sentence for sentence in house.breaches(tree))


def test_a_role_without_specs_a_missing_header_a_binary_and_a_machine_path_are_named(tree: Path) -> None:
    """Would catch each of these four on its way into Git."""
    (tree / "roles/bare/tasks").mkdir(parents=True)
    (tree / "roles/bare/tasks/main.yml").write_text("---\n[]\n")
    (tree / "blob").write_bytes(b"\x7fELF\0\0")
    (tree / "note.md").write_text(f"see {tree}/x\n")
    found = "\n".join(house.breaches(tree))
    assert "roles/bare:1: has no meta/argument_specs.yml" in found
    assert "roles/bare/tasks/main.yml:1: no line" in found
    assert "blob:1: is binary" in found
    assert "note.md:1: holds this checkout's own path" in found


def test_a_link_to_a_missing_page_is_named(tree: Path) -> None:
    """Would catch a page that was renamed or never written."""
    (tree / "docs").mkdir()
    (tree / "docs/a.md").write_text("[b](b.md) [c](../c.md#part) [d](https://example.org/d) [e](#here)\n")
    (tree / "c.md").write_text("c\n")
    assert house.breaches(tree) == ["docs/a.md:1: links to b.md, which is not there"]
