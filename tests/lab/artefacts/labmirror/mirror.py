# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling a mirror: each item from upstream where that answers, built where it does not; the same names both ways."""

from __future__ import annotations

import gzip
import os
import platform
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from . import debian, images
from .catalogue import Archive, Catalogue, FromModule, Image, Item, Package, Program, Repository, Single, used
from .golang import toolchain
from .programs import Builder
from .steps import Steps, key_of, size, trim
from .store import Descriptor, Record, Store, digest_of, locked
from .trouble import Trouble
from .upstream import Silent, Upstream

# Raised when the way an item is put together changes.
RECIPE = 1
FETCHERS = 4


def cache_folder() -> Path:
    """Where everything is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "socle" / "artefacts"


def architecture() -> str:
    """This machine's architecture, as Go and Debian name it."""
    found = platform.machine()
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    if found not in names:
        raise Trouble(
            f"this machine is {found}, wanted one of {', '.join(names)}: the lab's artefacts are made for those"
        )
    return names[found]


@dataclass
class Mirror:
    """A mirror's folder and the two ways to fill it. `upstream=None`: build all. `build=False`: build nothing."""

    cache: Path
    pins: Path
    arch: str
    upstream: Upstream | None = None
    build: bool = True
    say: Callable[[str], None] = print
    store: Store = field(init=False)
    builder: Builder | None = None

    def __post_init__(self) -> None:
        self.store = Store(self.cache / "mirror")

    def fill(self, catalogue: Catalogue) -> list[Record]:
        """Have every item of a catalogue; what is there already is not touched."""
        # What is whole needs no lock: nobody waits for another run's build of something else.
        if self._missing(catalogue):
            with self.alone():
                self._fill(catalogue)
        return [record for item in catalogue.items if (record := self.store.record(item.name))]

    def alone(self) -> AbstractContextManager[None]:
        """As long as this is held, no other run changes the mirror."""
        return locked(self.cache / "mirror.lock", "another run is filling the mirror; waiting for that")

    def _missing(self, catalogue: Catalogue) -> list[Item]:
        return [item for item in catalogue.items if not self.present(item)]

    def _fill(self, catalogue: Catalogue) -> None:
        begin = time.monotonic()
        if missing := self._missing(catalogue):
            self.say(f"Kubernetes {catalogue.kubernetes}: {len(missing)} of {len(catalogue.items)} artefacts to get")
            self._get(missing)
            self.say(f"Kubernetes {catalogue.kubernetes}: {len(missing)} artefacts in {time.monotonic() - begin:.0f} s")

    def present(self, item: Item) -> bool:
        """Whether the mirror holds an item, whole and made of what it would be made of today."""
        record = self.store.record(item.name)
        if not record or self.store.whole(record):
            return False
        return record.key == (self.key(item) if record.origin == "built" else upstream_key(item))

    def key(self, item: Item) -> str:
        """The hash of all that decides what an item will be when it is built. Needs no Go and no network."""
        inputs = {
            "recipe": RECIPE,
            "item": repr(item),
            "arch": self.arch,
            "tools": [images.SUITE, *images.TOOLS],
            "sources": {program.name: self._pinned(program) for program in used(item)},
        }
        return key_of(inputs)

    def _pinned(self, program: Program) -> dict[str, str]:
        folder = self.pins / program.pin.name
        return {path.name: digest_of(path) for path in sorted(folder.glob("*")) if path.is_file()}

    def _get(self, items: Sequence[Item]) -> None:
        left = list(items)
        if self.upstream:
            with ThreadPoolExecutor(FETCHERS) as pool:
                reasons = list(pool.map(self._fetch, items))
            left = [item for item, reason in zip(items, reasons, strict=True) if reason]
            for reason in sorted({reason for reason in reasons if reason}):
                self.say(f"  not from upstream: {reason}")
        if left and not self.build:
            names = ", ".join(item.name for item in left)
            raise Trouble(
                f"not had from upstream, and building is off: {names}: see the reasons above, or allow building"
            )
        for number, item in enumerate(left, 1):
            self.say(f"[{number}/{len(left)}] {item.name}")
            self._build(item)

    def _fetch(self, item: Item) -> str:
        """Have an item from upstream: empty, or why it cannot be had there."""
        assert self.upstream
        try:
            record = fetched(self.store, self.upstream, item, self.arch)
        except Silent as error:
            return str(error)
        self.store.keep(record)
        self.say(f"  {item.name}: from upstream")
        return ""

    def _build(self, item: Item) -> None:
        builder = self.tools()
        programs = {program.name: builder.build(program) for program in used(item)}
        if isinstance(item, Image):
            base = images.tools(builder.steps, self.arch) if item.tools else None
            places = {path: programs[program.name] for path, program in item.programs.items()}
            descriptor, blobs = images.write(self.store, item, self.arch, places, base)
            self._keep(item, descriptor=descriptor, blobs=tuple(blob.digest for blob in blobs))
            return
        files: dict[str, Path] = {}
        if isinstance(item, Repository):
            files = self._repository(item, programs)
        elif isinstance(item, Archive):
            places = {path: programs[program.name] for path, program in item.programs.items()}
            files = self._summed(item.name, item.checksum, self._archive(places))
        elif isinstance(item, Single):
            files = self._summed(item.name, item.checksum, self._copy(programs[item.program.name]))
        elif isinstance(item, FromModule):
            files = {item.name: self._text(builder.module_file(item))}
        self._keep(item, files={name: self.store.place(path, name) for name, path in files.items()})

    def _keep(
        self,
        item: Item,
        descriptor: Descriptor | None = None,
        blobs: tuple[str, ...] = (),
        files: Mapping[str, str] | None = None,
    ) -> None:
        kind = type(item).__name__.lower()
        self.store.keep(Record(item.name, kind, "built", self.key(item), descriptor, blobs, dict(files or {})))

    def tools(self) -> Builder:
        """What builds; looks for Go only when it is asked for."""
        if not self.builder:
            go = toolchain(self.cache / "go")
            self.builder = Builder(go, Steps(self.cache / "steps", self.say), self.pins)
        return self.builder

    def _text(self, content: bytes) -> Path:
        with self.store.writing() as (handle, path):
            handle.write(content)
        return path

    def _copy(self, source: Path) -> Path:
        with self.store.writing() as (_handle, path):
            shutil.copyfile(source, path)
        return path

    def _archive(self, places: Mapping[str, Path]) -> Path:
        with self.store.writing() as (handle, path):
            squeezed = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=handle, mtime=debian.MOMENT)
            with squeezed, tarfile.open(fileobj=squeezed, mode="w", format=tarfile.GNU_FORMAT) as tar:
                for folder in debian.parents(list(places)):
                    debian.add_folder(tar, folder)
                for name, source in sorted(places.items()):
                    debian.add_program(tar, name, source)
        return path

    def _summed(self, name: str, ending: str, path: Path) -> dict[str, Path]:
        line = f"{digest_of(path).removeprefix('sha256:')}  {name.rsplit('/', maxsplit=1)[-1]}\n"
        return {name: path, name + ending: self._text(line.encode())}

    def _repository(self, item: Repository, programs: Mapping[str, Path]) -> dict[str, Path]:
        files: dict[str, Path] = {}
        stanzas = []
        for package in item.packages:
            places = {path: programs[program.name] for path, program in package.programs.items()}
            filename = f"{self.arch}/{package.name}_{package.version}_{self.arch}.deb"
            path = self._package(package, places)
            weight = sum(source.stat().st_size for source in places.values()) >> 10
            stanzas.append(debian.stanza(debian.control(package, self.arch, weight), filename, path))
            files[f"{item.name}/{filename}"] = path
        index = "\n".join(stanzas).encode()
        key = debian.Key(self.cache / "key")
        indexes = {"Packages": index, "Packages.gz": gzip.compress(index, mtime=0)}
        about = debian.release(indexes, "Socle lab", self.arch, debian.MOMENT)
        for name, content in (indexes | {"InRelease": key.sign(about), "Release.key": key.public()}).items():
            files[f"{item.name}/{name}"] = self._text(content)
        return files

    def _package(self, package: Package, places: Mapping[str, Path]) -> Path:
        with self.store.writing() as (handle, path), self.store.writing() as (_unused, scratch):
            with scratch.open("w+b") as data:
                debian.write(package, self.arch, places, handle, data)
            scratch.unlink()
        return path

    def trim(self, build: int, modules: int) -> Iterator[tuple[str, int]]:
        """Keep the caches of Go within bounds: what went, and how many bytes."""
        yield "Go's build cache", trim(self.cache / "go" / "build", build)
        folder = self.cache / "go" / "modules"
        if (weight := size(folder)) > modules:
            # Not file by file: a module with a hole breaks the next build, one that is gone is fetched again.
            shutil.rmtree(folder)
            yield "Go's modules", weight


def upstream_key(item: Item) -> str:
    """What stands in for the hash of the sources when an item was fetched: its name says all."""
    wanted = (
        sorted((package.name, package.version) for package in item.packages) if isinstance(item, Repository) else []
    )
    return key_of({"recipe": RECIPE, "name": item.name, "packages": wanted})


def fetched(store: Store, upstream: Upstream, item: Item, arch: str) -> Record:
    """An item as upstream publishes it."""
    kind, key = type(item).__name__.lower(), upstream_key(item)
    if isinstance(item, Image):
        descriptor, blobs = upstream.image(store, item.name, arch)
        return Record(item.name, kind, "upstream", key, descriptor, tuple(blob.digest for blob in blobs))
    if isinstance(item, Repository):
        wanted = {package.name: None if package.loose else package.version for package in item.packages}
        files = upstream.repository(store, item.name, wanted, arch)
    else:
        ending = "" if isinstance(item, FromModule) else item.checksum
        files = upstream.file(store, item.name, ending)
        if isinstance(item, FromModule) and item.holds not in files[item.name].read_text(errors="replace"):
            files[item.name].unlink()
            raise Silent(f"{item.name}: what came does not hold {item.holds!r}")
    return Record(
        item.name, kind, "upstream", key, files={name: store.place(path, name) for name, path in files.items()}
    )
