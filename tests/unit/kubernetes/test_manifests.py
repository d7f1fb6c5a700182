# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as they are given: how they are read, made whole, named and put in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._kubernetes import manifests as m

CM = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}


def read(**parameters: Any) -> list[dict[str, Any]]:
    return [item for item, _unused in m.gather(parameters)]


def whole(*bodies: Any, **parameters: Any) -> list[m.Manifest]:
    return m.manifests(parameters, {}, [(body, "test") for body in bodies])


def test_yaml_is_read_as_kubernetes_reads_it() -> None:
    """Would catch dates, times and equal signs that become something else than the text that was written."""
    values = "{t: 2020-01-02, m: 22:22, e: =, o: 0777, h: 0x1F, n: -7, f: 1.5, b: yes}"
    text = f"apiVersion: v1\nkind: X\nmetadata: {{name: a}}\nd: {values}"
    (found,) = read(stream=text)
    assert found["d"] == {"t": "2020-01-02", "m": "22:22", "e": "=", "o": 511, "h": 31, "n": -7, "f": 1.5, "b": True}


def test_everything_that_is_given_is_one_set(tmp_path: Path) -> None:
    """Would catch a form that is ignored, files of other kinds that are read, and lists that stay lists."""
    inner = tmp_path / "folder" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "one.yaml").write_text("---\n---\n" + "apiVersion: v1\nkind: A\nmetadata: {name: file}\n---\n")
    (inner / "two.json").write_text('{"apiVersion": "v1", "kind": "B", "metadata": {"name": "json"}}')
    (inner / "README.md").write_text("no: {")
    listed = {"apiVersion": "v1", "kind": "List", "items": [CM, {**CM, "metadata": {"name": "d"}}]}
    found = read(
        objects=[listed, "apiVersion: v1\nkind: T\nmetadata: {name: text}"],
        files=[str(tmp_path / "one.yaml"), str(tmp_path / "folder")],
        stream="apiVersion: v1\nkind: S\nmetadata: {name: stream}",
    )
    assert [item["metadata"]["name"] for item in found] == ["c", "d", "text", "file", "json", "stream"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"objects": [{"kind": "ConfigMap", "metadata": {}}]},
            "objects[1] (ConfigMap): it has no apiVersion, metadata.name",
        ),
        ({"stream": "a: b\n---\n- c"}, "stream, document 1: it has no apiVersion, kind, metadata.name"),
        ({"stream": "kind: A\nmetadata: [\n"}, "stream, line 3"),
        ({"files": ["/nowhere/at/all.yaml"]}, "/nowhere/at/all.yaml: No such file"),
        ({"objects": ["just words"]}, "found str, wanted an object"),
    ],
)
def test_what_is_no_object_is_said_with_its_place(given: dict[str, Any], said: str) -> None:
    """Would catch a traceback, or an error that does not say which of many documents is meant."""
    with pytest.raises(m.NoManifest) as failure:
        read(**given)
    assert said in str(failure.value)


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    """Would catch a wrong path that is taken for an empty set: with prune it would delete everything."""
    with pytest.raises(m.NoManifest, match="no file in it ends with"):
        read(files=[str(tmp_path)])


def test_objects_are_made_whole() -> None:
    """Would catch a namespace on what has none, what a server filled in being sent back, and labels that get lost."""
    exported = {"name": "c", "uid": "1", "resourceVersion": "2", "creationTimestamp": None, "labels": {"a": "1"}}
    one, two, three = whole(
        {**CM, "metadata": exported, "status": {}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "r", "namespace": "x"},
        },
        {**CM, "metadata": {"name": "c", "namespace": "own"}},
        namespace="shop",
        labels={"set": "s"},
    )  # fmt: skip
    assert one.body == {**CM, "metadata": {"name": "c", "namespace": "shop", "labels": {"a": "1", "set": "s"}}}
    assert (two.key, two.namespace) == ("ClusterRole.rbac.authorization.k8s.io r", "")
    assert three.key == "ConfigMap own/c"


def test_a_version_is_not_part_of_a_name() -> None:
    """Would catch an object that is deleted and made anew when only its API version is raised."""
    one, two = (m.Manifest({**CM, "apiVersion": f"apps/{v}"}, "") for v in ("v1beta1", "v1"))
    assert one.key == two.key


def test_needs_are_namespaces_kinds_and_what_a_pod_is_refused_without() -> None:
    """Would catch objects sent before what they stand on."""
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": "ws.e.org"}, "spec": {"group": "e.org", "names": {"kind": "W"}}}  # fmt: skip
    bodies = [
        {"apiVersion": "e.org/v1", "kind": "W", "metadata": {"name": "w"}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"priorityClassName": "high"},
        },
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}},
        crd,
    ]  # fmt: skip
    found = m.needs(m.manifests({}, {("e.org", "W"): False}, [(body, "") for body in bodies]))
    assert found["W.e.org w"] == {"CustomResourceDefinition.apiextensions.k8s.io ws.e.org"}
    assert found["Pod n/p"] == {"Namespace n", "PriorityClass.scheduling.k8s.io high"}
    assert found["Namespace n"] == frozenset()
