# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching from publishers: what is verified, what is told apart, what is never kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labmirror.store import Store
from labmirror.trouble import Trouble
from labmirror.upstream import Silent, Upstream
from standin import Fault, StandIn

NAME = "registry.example/group/thing:v1.0"
PATH = "/registry.example/v2/group/thing"
REPO = "packages.example/stable/deb"


def leftovers(store: Store) -> list[Path]:
    return list(store.making.iterdir())


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_an_image_keeps_its_official_digest(store: Store, standin: StandIn, upstream: Upstream, docker: bool) -> None:
    """Would catch an index written anew, whose digest no pin would match, and blobs of other machines being fetched."""
    official = standin.image(NAME, docker=docker)
    top, blobs = upstream.image(store, NAME, "amd64")
    assert top.digest == official
    index = json.loads(store.blob(official).read_bytes())
    assert len(index["manifests"]) == 5
    manifest = json.loads(store.blob(blobs[1].digest).read_bytes())
    named = {manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
    assert {blob.digest for blob in blobs} == {official, blobs[1].digest} | named
    assert json.loads(store.blob(manifest["config"]["digest"]).read_bytes())["architecture"] == "amd64"
    kept = {path.name for path in (store.root / "blobs" / "sha256").iterdir()}
    assert kept == {blob.digest.removeprefix("sha256:") for blob in blobs}


def test_an_image_without_index(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch a manifest taken for an index."""
    official = standin.plain_image(NAME)
    top, blobs = upstream.image(store, NAME, "amd64")
    assert (top.digest, len(blobs)) == (official, 3)


def test_a_token_is_fetched_and_not_given_away(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch a registry's token sent on to the storage that its blobs are redirected to; that refuses it."""
    standin.tokens.add("registry.example")
    standin.redirected.add("registry.example")
    official = standin.image(NAME)
    assert upstream.image(store, NAME, "amd64")[0].digest == official
    stored = [with_token for path, with_token in standin.asked if path.startswith("/storage/")]
    assert stored
    assert not any(stored)
    assert sum(path == "/token" for path, _with_token in standin.asked) == 1


def test_another_architecture_is_had_or_said(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch an image of another machine being kept for this one."""
    standin.image(NAME, arches=["s390x"])
    with pytest.raises(Silent, match="not for linux/amd64"):
        upstream.image(store, NAME, "amd64")


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_a_changed_image_is_trouble_and_not_kept(store: Store, standin: StandIn, upstream: Upstream, what: str) -> None:
    """Would catch content that does not match its digest being kept, or quietly replaced by something built."""
    standin.image(NAME)
    for path in standin.content:
        if path.startswith(f"{PATH}/{what}/"):
            standin.faults[path] = Fault("change")
    if what == "manifests":
        # The one by tag: its type and digest are told in the answer's headers.
        del standin.faults[f"{PATH}/manifests/v1.0"]
    with pytest.raises(Trouble, match="nothing was kept"):
        upstream.image(store, NAME, "amd64")
    assert not leftovers(store)


def test_a_line_that_breaks_is_tried_again(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch half a blob being kept, and a mirror given up at the first broken line."""
    standin.image(NAME)
    for path in standin.content:
        standin.faults[path] = Fault("cut", times=2)
    top, blobs = upstream.image(store, NAME, "amd64")
    assert all(store.blob(blob.digest).is_file() for blob in (top, *blobs))


@pytest.mark.parametrize(
    ("kind", "reason"), [("cut", "broke off"), ("503", "503"), ("403", "403"), ("page", "no manifest")]
)
def test_what_does_not_answer_properly_is_silent(
    store: Store, standin: StandIn, upstream: Upstream, kind: str, reason: str
) -> None:
    """Would catch a portal's page or an overloaded host being taken for an image, or ending the run."""
    standin.image(NAME)
    standin.faults[f"{PATH}/manifests/v1.0"] = Fault(kind)
    with pytest.raises(Silent, match=reason):
        upstream.image(store, NAME, "amd64")
    assert not leftovers(store)


def test_a_silent_host_is_asked_once(store: Store, upstream: Upstream) -> None:
    """Would catch a run without Internet waiting for each of twenty artefacts anew."""
    gone = StandIn()
    gone.close()
    absent = Upstream({"registry.example": gone.url}, pause=upstream.pause)
    for _again in range(2):
        with pytest.raises(Silent, match=r"registry\.example does not answer"):
            absent.image(store, NAME, "amd64")
    assert list(absent.silent) == ["registry.example"]


def test_a_missing_image_does_not_silence_its_host(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch one missing tag making everything of that host being built."""
    standin.image(NAME)
    with pytest.raises(Silent, match="404"):
        upstream.image(store, "registry.example/group/other:v1.0", "amd64")
    upstream.image(store, NAME, "amd64")


def test_a_file_and_its_checksum(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch a file kept whose checksum says otherwise."""
    standin.file("files.example/v1/thing", b"content", ".sha256")
    found = upstream.file(store, "files.example/v1/thing", ".sha256")
    assert found["files.example/v1/thing"].read_bytes() == b"content"
    for path in found.values():
        path.unlink()
    standin.faults["/files.example/v1/thing"] = Fault("change")
    with pytest.raises(Trouble, match=r"thing: its SHA-256 is not the one that \.sha256"):
        upstream.file(store, "files.example/v1/thing", ".sha256")
    assert not leftovers(store)


def test_a_page_instead_of_a_checksum_is_silence(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch a portal's page being blamed on the publisher."""
    standin.file("files.example/v1/thing", b"content", ".sha256")
    standin.faults["/files.example/v1/thing.sha256"] = Fault("page")
    with pytest.raises(Silent, match="no checksum"):
        upstream.file(store, "files.example/v1/thing", ".sha256")
    assert not leftovers(store)


def test_packages_by_version_or_the_newest(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch 1.9 being newer than 1.10, packages of other machines, and indexes that apt would refuse."""
    standin.repository(REPO, [("one", "1.0-1.1"), ("one", "1.1-1.1"), ("two", "1.9-1.1"), ("two", "1.10-1.1")])
    found = upstream.repository(store, REPO, {"one": "1.0-1.1", "two": None}, "amd64")
    names = {name.removeprefix(f"{REPO}/") for name in found}
    assert names == {
        "InRelease", "Packages", "Release.key", "amd64/one_1.0-1.1_amd64.deb", "amd64/two_1.10-1.1_amd64.deb",
    }  # fmt: skip
    assert found[f"{REPO}/Packages"].read_bytes() == standin.content[f"/{REPO}/Packages"][1]


@pytest.mark.parametrize("part", ["Packages", "amd64/one_1.0-1.1_amd64.deb"])
def test_a_changed_repository_is_trouble(store: Store, standin: StandIn, upstream: Upstream, part: str) -> None:
    """Would catch a package or an index that is not what the signed file names."""
    standin.repository(REPO, [("one", "1.0-1.1")])
    standin.faults[f"/{REPO}/{part}"] = Fault("change")
    with pytest.raises(Trouble, match=f"{part}.*nothing was kept"):
        upstream.repository(store, REPO, {"one": "1.0-1.1"}, "amd64")
    assert not leftovers(store)


def test_a_version_that_is_not_there_is_said(store: Store, standin: StandIn, upstream: Upstream) -> None:
    """Would catch another version being taken for the one that was asked for."""
    standin.repository(REPO, [("one", "1.0-1.1")])
    with pytest.raises(Silent, match=r"no one 1\.2-1\.1 there"):
        upstream.repository(store, REPO, {"one": "1.2-1.1"}, "amd64")
    assert not leftovers(store)
