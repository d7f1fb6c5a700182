# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the lab's artefacts program importable, and stands in for publishers and for the Go compiler."""

from __future__ import annotations

import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab" / "artefacts"))

from labmirror.catalogue import (
    Archive,
    Catalogue,
    Image,
    Package,
    Pin,
    Program,
    Repository,
    Single,
)  # no installed package
from labmirror.debian import Key  # as above
from labmirror.golang import Go  # as above
from labmirror.mirror import Mirror  # as above
from labmirror.programs import Builder  # as above
from labmirror.steps import Steps  # as above
from labmirror.store import Store  # as above
from labmirror.upstream import Upstream  # as above
from standin import StandIn  # as above

HOSTS = ("registry.example", "packages.example", "files.example")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mirror")


@pytest.fixture(scope="session")
def key() -> Iterator[Path]:
    """The folder of a signing key, made once: it takes a second. Near the root, as a socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="key") as folder:
        Key(Path(folder))
        yield Path(folder)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.close()


@pytest.fixture
def upstream(standin: StandIn) -> Upstream:
    """The stand-in as every host there is; it waits for nothing between attempts."""
    return Upstream(standin.at(*HOSTS), timeout=5, pause=lambda _seconds: None)


@pytest.fixture
def compiler(tmp_path: Path) -> Path:
    """A program in the place of `go`: its `build` writes a script that tells what it was built from."""
    path = tmp_path / "bin" / "go"
    path.parent.mkdir()
    path.write_text(
        textwrap.dedent(
            """\
            #!/bin/sh
            echo "$@" >> "$0.calls"
            [ "$1" = build ] || exit 0
            while [ "$1" != -o ]; do [ "$1" = -ldflags ] && flags=$2; shift; done
            [ -e "$0.broken" ] && { echo "no room left" >&2; exit 3; }
            printf '#!/bin/sh\\necho %s %s\\n' "$3" "$flags" > "$2"
            chmod 755 "$2"
            """
        )
    )
    path.chmod(0o755)
    return path


PIN = Pin("made-1.0", {"example.org/made": "v1.0.0"}, ("example.org/made/one", "example.org/made/two"))
ONE = Program("one", PIN, "example.org/made/one", "1.0", {"main.version": "1.0"})
TWO = Program("two", PIN, "example.org/made/two", "1.0")
ITEMS = (
    Image("registry.example/one:v1.0", {"usr/local/bin/one": ONE}, ("/usr/local/bin/one",)),
    Image("registry.example/group/two:v1.0", {"two": TWO, "opt/bin/one": ONE}, user="65535:65535"),
    Repository(
        "packages.example/stable/deb",
        (
            Package("one", "1.0-1.1", "The one", {"usr/bin/one": ONE}, depends=("two (>= 0.9)",)),
            Package("two", "1.0-1.1", "The two", {"usr/bin/two": TWO}, texts={"etc/two.conf": "x\n"}, loose=True),
        ),
    ),
    Archive("files.example/v1.0/both.tar.gz", {"bin/one": ONE, "bin/two": TWO}),
    Single("files.example/v1.0/one", ONE),
)
SMALL = Catalogue("1.0", "1.0.0", ITEMS)


@pytest.fixture
def small() -> Catalogue:
    """A catalogue with one item of each kind that comes from publishers."""
    return SMALL


@pytest.fixture
def published(standin: StandIn) -> StandIn:
    """Upstream's own version of everything in SMALL."""
    standin.image("registry.example/one:v1.0")
    standin.image("registry.example/group/two:v1.0", docker=True)
    versions = [("one", "0.9-1.1"), ("one", "1.0-1.1"), ("two", "1.0-1.1"), ("two", "1.10-1.1")]
    standin.repository("packages.example/stable/deb", versions)
    standin.file("files.example/v1.0/both.tar.gz", b"upstream's archive", ".sha256sum")
    standin.file("files.example/v1.0/one", b"upstream's one", ".sha256")
    return standin


@pytest.fixture
def mirror(tmp_path: Path, compiler: Path, key: Path) -> Callable[..., Mirror]:
    """Mirrors of one folder, that build with the compiler's stand-in."""
    pins = tmp_path / "pins"
    (pins / PIN.name).mkdir(parents=True)
    (pins / PIN.name / "go.mod").write_text("module made\n")
    (pins / PIN.name / "go.sum").write_text("sums\n")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "key").symlink_to(key)

    def make(upstream: Upstream | None = None, build: bool = True, lines: list[str] | None = None) -> Mirror:
        said: list[str] = [] if lines is None else lines
        steps = Steps(tmp_path / "cache" / "steps", said.append)
        builder = Builder(fake_go(compiler), steps, pins)
        return Mirror(tmp_path / "cache", pins, "amd64", upstream, build, said.append, builder)

    return make


def fake_go(compiler: Path) -> Go:
    return Go(str(compiler), "go1.0", {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, "linux-amd64")
