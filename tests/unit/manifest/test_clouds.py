# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds as hosts: what runs here, in which groups, with which state."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

HEAD = "plugin: socle.platform.manifest\nplatform: {name: cater, domain: cater.example.org}\nsecrets: {backend: file}\n"
GKE = "{kind: gke, project: cater-prod, region: europe-west9%s}"


def made(text: str) -> Any:
    result = validate_file("x.socle.yml", (HEAD + text).encode())
    assert result.ok, [error.lines("x") for error in result.errors]
    return inventory(result.platform, "x.socle.yml")


def test_each_cloud_is_a_host_of_its_kind() -> None:
    """Would catch a cloud reached over SSH, in the wrong group, or without layers."""
    found = made(f"clouds: {{one: {GKE % ''}, two: {{kind: kapsule, region: fr-par}}}}")
    assert found.children["clouds"] == ["clouds_gke", "clouds_kapsule"]
    assert found.members["clouds_gke"] == ["one"] and found.members["clouds_kapsule"] == ["two"]
    assert found.hosts["one"]["ansible_connection"] == "local"
    assert "gke" in found.hosts["one"]["clouds_layers"] and found.hosts["two"]["clouds_layers"] == ["kapsule"]


def test_the_state_of_a_cloud_goes_before_that_of_all() -> None:
    """Would catch two platforms in one place, or a cloud's own state forgotten."""
    own = GKE % ", state: {kind: gcs, bucket: own-bucket}"
    everywhere = "terraform: {state: {kind: s3, bucket: all-bucket, region: eu-west-3}}"
    found = made(f"{everywhere}\nclouds: {{one: {own}, two: {GKE % ''}}}")
    assert found.hosts["one"]["clouds_state"] == {
        "backend": "gcs", "bucket": "own-bucket", "prefix": "cater", "create": True, "project": "cater-prod",
        "region": "europe-west9",
    }  # fmt: skip
    assert found.hosts["two"]["clouds_state"] == {
        "backend": "s3", "bucket": "all-bucket", "prefix": "cater", "create": True, "region": "eu-west-3",
    }  # fmt: skip
    assert found.hosts["two"]["gke_state"] == found.hosts["two"]["clouds_state"]
    local = made(f"clouds: {{one: {GKE % ''}}}").hosts["one"]["clouds_state"]
    assert local == {"backend": "local", "path": "~/.local/state/socle/terraform/cater/states"}


@pytest.mark.parametrize("name", ["kubernetes", "clouds", "hypervisors"])
def test_a_cloud_has_a_name_of_its_own(name: str) -> None:
    """Would catch a host that Ansible takes for a group."""
    result = validate_file("x.socle.yml", (HEAD + f"clouds: {{{name}: {GKE % ''}}}").encode())
    assert any("is the name of a group as well" in line for error in result.errors for line in error.lines("x"))
