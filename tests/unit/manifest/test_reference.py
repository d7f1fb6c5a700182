# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference page and the JSON Schema say what the schema says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.base import Section
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.load import load
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.model import Manifest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.reference import json_schema, page
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

from .helpers import BASE, changed
from .test_example import EXAMPLE


def test_generated_pages_are_current(root: Path):
    """A key that was added without `make docs` would be missing from the page."""
    done = subprocess.run(
        [sys.executable, "tests/tools/manifest_docs.py", "--check"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def every_section() -> set[type[Section]]:
    found = set(Section.__subclasses__())
    while True:
        more = {inner for outer in found for inner in outer.__subclasses__()} - found
        if not more:
            return found
        found |= more


def test_every_key_is_described():
    """A key without a sentence is of no use to anybody."""
    for model in every_section():
        assert (model.__doc__ or "").strip(), model
        for name, entry in model.model_fields.items():
            assert entry.description, (model, name)
            assert entry.description.endswith("."), (model, name)


def test_the_page_names_every_key():
    """Sections that the page's walk does not reach would be missing without notice."""
    text = page()
    for model in every_section():
        for name in model.model_fields:
            assert f"`{name}`" in text, (model, name)


def schema() -> Any:
    made = json_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def test_the_schema_accepts_what_we_accept(root: Path):
    """An editor that marks a good manifest as wrong is worse than none."""
    texts = [BASE, EXAMPLE, *(path.read_text() for path in sorted((root / "inventories").glob("*/*.socle.yml")))]
    for text in texts:
        problems = [
            f"{list(error.path)}: {error.message[:200]}" for error in schema().iter_errors(load(text.encode())[0])
        ]
        assert problems == []


WRONG: list[dict[str, Any]] = [
    {"platfrom": {}},
    {"platform.name": "Big"},
    {"machines.worker.memory": "16 GB"},
    {"machines.worker.count": "4"},
    {"machines.worker.cuont": 4},
    {"machines.Web": {}},
    {"kubernetes.version": 1.36},
    {"kubernetes.network": "weave"},
    {"kubernetes": None},
    {"clouds.canada.kind": "gcp"},
    {"clouds.canada.region": "eu-west-3"},
    {"hypervisors.nodes.compute1.address": 5},
    {"delivery.environments.test.gate": "maybe"},
]


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_the_schema_refuses_what_we_refuse(changes: dict[str, Any]):
    """Both come from one definition; here it shows."""
    text = changed(changes)
    assert list(schema().iter_errors(load(text.encode())[0]))
    assert validate_file("x.socle.yml", text.encode()).errors


def test_the_schema_s_top_is_the_manifest():
    """Editors offer the sections by these names."""
    assert set(json_schema()["properties"]) == set(Manifest.model_fields)
