# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling a mirror from upstream, by building, and by both: the same names, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labmirror.catalogue import Catalogue, Image
from labmirror.debian import paragraphs
from labmirror.mirror import Mirror
from labmirror.trouble import Trouble
from labmirror.upstream import Upstream
from standin import Fault, StandIn

Mirrors = Callable[..., Mirror]
HOSTS = ("registry.example", "packages.example", "files.example")


def addresses(mirror: Mirror) -> set[str]:
    """What a node can ask for: each image by name, each file by address."""
    found = set()
    for record in mirror.store.records():
        assert not mirror.store.damaged(record), record
        found |= {record.name} if record.descriptor else set(record.files)
    return found


def packages(mirror: Mirror) -> set[tuple[str, str]]:
    index = mirror.store.file("packages.example/stable/deb/Packages").read_text()
    return {(row["Package"], row["Version"]) for row in paragraphs(index)}


def test_both_ways_end_in_the_same_names_and_versions(
    mirror: Mirrors, small: Catalogue, published: StandIn, upstream: Upstream, tmp_path: Path
) -> None:
    """Would catch a name, a version or a path that one way spells differently: roles would work with the other only."""
    fetched = mirror(upstream, build=False)
    assert {record.origin for record in fetched.fill(small)} == {"upstream"}
    wanted = addresses(fetched)
    built = dataclasses.replace(mirror(), cache=tmp_path / "second")
    built.cache.mkdir(exist_ok=True)
    (built.cache / "key").symlink_to(tmp_path / "cache" / "key")
    assert {record.origin for record in built.fill(small)} == {"built"}
    newest = {name.replace("two_1.10-1.1", "two_1.0-1.1") for name in wanted}
    assert addresses(built) - {"packages.example/stable/deb/Packages.gz"} == newest
    assert packages(built) == {("one", "1.0-1.1"), ("two", "1.0-1.1")} <= packages(fetched)


def test_a_second_run_asks_nobody_and_builds_nothing(
    mirror: Mirrors, small: Catalogue, published: StandIn, upstream: Upstream, compiler: Path
) -> None:
    """Would catch a converged mirror costing requests or builds."""
    mirror().fill(small)
    calls = compiler.with_name("go.calls").read_text()
    again: list[str] = []
    mirror(upstream, lines=again).fill(small)
    assert compiler.with_name("go.calls").read_text() == calls
    assert not published.asked
    assert not again


def test_what_a_host_lacks_is_built_and_the_rest_fetched(
    mirror: Mirrors, small: Catalogue, published: StandIn, upstream: Upstream
) -> None:
    """Would catch one missing image making the whole mirror being built, or ending the run."""
    del published.content["/registry.example/v2/one/manifests/v1.0"]
    said: list[str] = []
    origins = {record.name: record.origin for record in mirror(upstream, lines=said).fill(small)}
    assert origins.pop("registry.example/one:v1.0") == "built"
    assert set(origins.values()) == {"upstream"}
    assert any("404" in line for line in said)


def test_with_building_off_what_is_missing_is_named(
    mirror: Mirrors, small: Catalogue, published: StandIn, upstream: Upstream
) -> None:
    """Would catch an air-gapped site ending with a mirror that lacks something."""
    del published.content["/registry.example/v2/one/manifests/v1.0"]
    with pytest.raises(Trouble, match=r"registry\.example/one:v1\.0.*allow building"):
        mirror(upstream, build=False).fill(small)


def test_tampering_ends_the_run_instead_of_being_built_around(
    mirror: Mirrors, small: Catalogue, published: StandIn, upstream: Upstream
) -> None:
    """Would catch a changed artefact going unnoticed because a built one takes its place."""
    published.faults["/files.example/v1.0/one"] = Fault("change")
    with pytest.raises(Trouble, match=r"files\.example/v1\.0/one: its SHA-256"):
        mirror(upstream).fill(small)
    assert mirror().store.record("files.example/v1.0/one") is None


def test_a_build_that_fails_says_so_and_goes_on_next_time(mirror: Mirrors, small: Catalogue, compiler: Path) -> None:
    """Would catch a compiler's error being lost, or half a program being taken for a whole one afterwards."""
    compiler.with_name("go.broken").touch()
    with pytest.raises(Trouble, match="no room left"):
        mirror().fill(small)
    assert not mirror().store.records()
    compiler.with_name("go.broken").unlink()
    mirror().fill(small)
    assert len(mirror().store.records()) == len(small.items)


def test_another_pin_is_built_anew_and_the_same_one_is_not(mirror: Mirrors, small: Catalogue, compiler: Path) -> None:
    """Would catch programs of an older go.sum being served after it was changed."""
    first = mirror()
    first.fill(small)
    before = {record.name: record for record in first.store.records()}
    (first.pins / "made-1.0" / "go.sum").write_text("other sums\n")
    calls = len(compiler.with_name("go.calls").read_text().splitlines())
    mirror().fill(small)
    assert len(compiler.with_name("go.calls").read_text().splitlines()) == calls + 2
    assert all(before[record.name].key != record.key for record in first.store.records())


def test_what_was_damaged_or_deleted_is_had_again(mirror: Mirrors, small: Catalogue) -> None:
    """Would catch a record being believed whose content is gone."""
    filled = mirror()
    filled.fill(small)
    record = filled.store.record("registry.example/one:v1.0")
    assert record
    filled.store.blob(record.blobs[-1]).unlink()
    filled.fill(small)
    assert not filled.store.damaged(record)


def test_a_built_image_is_what_its_digests_say(mirror: Mirrors, small: Catalogue) -> None:
    """Would catch an image that a container runtime refuses, or programs that are not root's or cannot be run."""
    filled = mirror()
    filled.fill(small)
    record = filled.store.record("registry.example/group/two:v1.0")
    assert record
    assert record.descriptor
    manifest = json.loads(filled.store.blob(record.descriptor.digest).read_bytes())
    config = json.loads(filled.store.blob(manifest["config"]["digest"]).read_bytes())
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    assert (config["architecture"], config["config"]["User"]) == ("amd64", "65535:65535")
    with tarfile.open(filled.store.blob(manifest["layers"][0]["digest"])) as tar:
        entries = {entry.name: entry for entry in tar}
    assert list(entries) == ["opt", "opt/bin", "opt/bin/one", "two"]
    assert {(entry.mode, entry.uid, entry.gid) for entry in entries.values()} == {(0o755, 0, 0)}
    for blob in (manifest["config"], *manifest["layers"]):
        assert filled.store.blob(blob["digest"]).stat().st_size == blob["size"]


FAULTS = st.sampled_from(["cut", "page", "404", "500", "403"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    silent=st.sets(st.sampled_from(HOSTS)),
    broken=st.dictionaries(st.integers(0, 60), FAULTS, max_size=6),
    data=st.data(),
)
def test_whatever_upstream_does_the_mirror_is_whole(
    mirror: Mirrors,
    small: Catalogue,
    published: StandIn,
    tmp_path_factory: pytest.TempPathFactory,
    silent: set[str],
    broken: dict[int, str],
    data: st.DataObject,
) -> None:
    """Would catch any mixture of faults that ends in a mirror with a hole, a half file or an unverified one."""
    paths = sorted(published.content)
    published.faults = {paths[number % len(paths)]: Fault(kind) for number, kind in broken.items()}
    gone = StandIn()
    gone.close()
    at = published.at(*HOSTS) | dict.fromkeys(silent, gone.url)
    base = mirror(Upstream(at, timeout=5, pause=lambda _seconds: None))
    cache = tmp_path_factory.mktemp("any")
    (cache / "key").symlink_to(base.cache / "key")
    filled = dataclasses.replace(base, cache=cache)
    try:
        filled.fill(small)
    except Trouble as trouble:
        # A page in the place of something whose digest is known is no silence.
        assert "nothing was kept" in str(trouble)
        assert "page" in broken.values()
        published.faults = {}
        filled.fill(small)
    names = {record.name for record in filled.store.records()}
    assert names == {item.name for item in small.items}
    assert {name for name in addresses(filled) if ":" in name} == {
        item.name for item in small.items if isinstance(item, Image)
    }
    assert not list(filled.store.making.iterdir())
    for record in filled.store.records():
        if record.origin == "upstream":
            assert record.name.split("/")[0] not in silent


def test_a_whole_mirror_waits_for_nobody(mirror: Mirrors, small: Catalogue) -> None:
    """Would catch tests that need one minor standing still while another one is built for a quarter of an hour."""
    filled = mirror()
    filled.fill(small)
    with filled.alone():
        mirror().fill(small)
