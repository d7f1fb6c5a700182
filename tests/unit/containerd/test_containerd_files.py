# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd's files, read again by another implementation of TOML."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.filter.containerd_files import containerd_files
from ansible_collections.socle.platform.plugins.plugin_utils._toml import toml
from hypothesis import given
from hypothesis import strategies as st

tomllib = pytest.importorskip("tomllib")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), TEXTS, st.lists(TEXTS, max_size=3))
TABLES = st.recursive(
    st.dictionaries(TEXTS, VALUES, max_size=4),
    lambda inner: st.dictionaries(TEXTS, st.one_of(VALUES, inner), max_size=4),
    max_leaves=12,
)


def without_empty(table: dict[str, Any]) -> dict[str, Any]:
    found = {name: without_empty(value) if isinstance(value, dict) else value for name, value in table.items()}
    return {name: value for name, value in found.items() if value != {}}


@given(TABLES)
def test_any_mapping_is_read_back_as_it_was(table: dict[str, Any]) -> None:
    """Would catch a name or a text that breaks out of its place: containerd would not start, or do something else."""
    assert tomllib.loads(toml(table)) == without_empty(table)


def test_what_a_kubernetes_node_needs_is_said() -> None:
    """Would catch a setting at a place where containerd 2 does not look: it says nothing of unknown ones."""
    choices = {"sandbox_image": "registry.k8s.io/pause:3.10.2", "restrict_oom_score_adj": True}
    config = tomllib.loads(containerd_files(choices)[0]["content"])
    images = config["plugins"]["io.containerd.cri.v1.images"]
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert config["version"] == 3
    assert images["pinned_images"] == {"sandbox": "registry.k8s.io/pause:3.10.2"}
    assert images["registry"] == {"config_path": "/etc/containerd/certs.d"}
    assert runtime["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": True}
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["cni"]["bin_dirs"] == ["/opt/cni/bin"]


def test_extra_settings_are_merged_and_not_put_in_place_of_others() -> None:
    """Would catch one extra setting of a plugin losing all others of it."""
    extra = {"plugins": {"io.containerd.cri.v1.images": {"max_concurrent_downloads": 9}}, "oom_score": -1}
    config = tomllib.loads(containerd_files({"extra": extra})[0]["content"])
    images = config["plugins"]["io.containerd.cri.v1.images"]
    assert (images["max_concurrent_downloads"], images["discard_unpacked_layers"], config["oom_score"]) == (9, True, -1)


def test_mirrors_in_their_order() -> None:
    """Would catch mirrors asked in another order, or a registry forgotten as the last that is asked."""
    mirrors = {
        "_default": [{"url": "http://mirror.example:5000"}],
        "quay.io": [
            {"url": "https://one.example/v2/quay.io", "override_path": True, "ca": "/etc/ssl/one.pem"},
            {"url": "https://two.example", "resolve": False, "skip_verify": True},
        ],
    }
    files = {file["path"]: tomllib.loads(file["content"]) for file in containerd_files({}, mirrors)[1:]}
    everything = files["/etc/containerd/certs.d/_default/hosts.toml"]
    assert everything == {"host": {"http://mirror.example:5000": {"capabilities": ["pull", "resolve"]}}}
    quay = files["/etc/containerd/certs.d/quay.io/hosts.toml"]
    assert quay["server"] == "https://quay.io"
    assert list(quay["host"]) == ["https://one.example/v2/quay.io", "https://two.example"]
    assert quay["host"]["https://one.example/v2/quay.io"]["override_path"] is True
    assert quay["host"]["https://two.example"] == {"capabilities": ["pull"], "skip_verify": True}


@pytest.mark.parametrize(
    ("mirrors", "words"),
    [
        ({"quay.io": []}, "registry quay.io has no mirror"),
        ({"quay.io": [{"url": "mirror.example"}]}, "'mirror.example' of quay.io is no address"),
        ({"quay.io": [{"url": "http://m.example", "over_ride": True}]}, "has over_ride; known are ca, override_path"),
    ],
)
def test_what_is_wrong_is_named(mirrors: dict[str, Any], words: str) -> None:
    """Would catch a mirror that is silently never asked."""
    with pytest.raises(AnsibleFilterError, match=words):
        containerd_files({}, mirrors)


def test_a_value_that_toml_has_not_is_named() -> None:
    """Would catch a value written as Python shows it."""
    with pytest.raises(AnsibleFilterError, match=r"1\.5 is a float"):
        containerd_files({"extra": {"metrics": {"address": 1.5}}})
