# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's own rules, that no linter knows. Each rule takes the tree and yields one sentence per breach."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import tree
import yaml

# Sources that are gone or unpatched, each with what to use instead. Only this file may name them.
DEAD_SOURCES = {
    r"\bgcr\.io\b": "its images are gone: use registry.k8s.io, quay.io or the project's own registry",
    r"\bbitnami(?!-labs|/sealed-secrets-controller)": "its charts and images are frozen: use the vendor's operator",
    r"\bminio/minio\b|\bcharts\.min\.io\b": "no longer maintained: use Garage, SeaweedFS or a cloud's bucket",
    r"kubernetes\.github\.io/(ingress-nginx|dashboard)": "retired: use F5's NGINX controller, Headlamp",
    r"\bingress-nginx/controller\b": "retired: use F5's NGINX controller or Gateway API",
    r"kubernetes-charts\.storage\.googleapis": "the old stable charts are gone: use the project's own chart",
    r"\bgrafana/promtail\b": "end of life: use Alloy",
    r"\bkaniko-project/executor\b": "archived: use BuildKit or buildah",
    r"\bgluster\.gluster\b": "unmaintained: use socle.platform's own modules",
    r"\bapt\.kubernetes\.io\b|packages\.cloud\.google\.com/apt": "gone: use pkgs.k8s.io",
}

# In pieces, because no file may hold such a name whole.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("static", "crates", "io"),
        ("index", "crates", "io"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
    )
]

HEADER_SUFFIXES = {".py", ".yml", ".yaml", ".sh", ".cfg", ".toml", ".tf", ".j2"}


def tracked(root: Path) -> list[Path]:
    """Every file that Git holds or would hold, without links."""
    return [root / name for name in tree.names(root) if not (root / name).is_symlink()]


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each tracked file that is text."""
    for path in tracked(root):
        try:
            yield str(path.relative_to(root)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def dead_sources(root: Path) -> Iterator[str]:
    """No file names a source that is gone."""
    for name, text in texts(root):
        if name == "tests/tools/house.py":
            continue
        for pattern, instead in DEAD_SOURCES.items():
            for match in re.finditer(pattern, text, re.IGNORECASE):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: names {match.group(0)}, {instead}"


def registry_hosts(root: Path) -> Iterator[str]:
    """No file names a package registry's host: locks are by hash, the index is the user's own setting."""
    for name, text in texts(root):
        for host in REGISTRY_HOSTS:
            if host in text:
                line = text.count("\n", 0, text.index(host)) + 1
                yield f"{name}:{line}: names the package registry {host}; leave the choice to the user's own set-up"


def machine_paths(root: Path) -> Iterator[str]:
    """No file holds the path of the machine that it was written on."""
    for name, text in texts(root):
        if f"{root}/" in text:
            line = text.count("\n", 0, text.index(f"{root}/")) + 1
            yield f"{name}:{line}: holds this checkout's own path {root}; make it relative"


def licence_headers(root: Path) -> Iterator[str]:
    """Every source file says its licence."""
    for name, text in texts(root):
        # Ansible's changelog tool writes this one itself.
        wanted = Path(name).suffix in HEADER_SUFFIXES and name != "changelogs/changelog.yaml" and text.strip()
        if wanted and "SPDX-License-Identifier: GPL-3.0-or-later" not in text[:600]:
            yield f"{name}:1: no line 'SPDX-License-Identifier: GPL-3.0-or-later' in its head"


def binaries(root: Path) -> Iterator[str]:
    """No binary and nothing huge in Git."""
    for path in tracked(root):
        name = path.relative_to(root)
        if path.stat().st_size > 1_000_000:
            yield f"{name}:1: {path.stat().st_size} bytes; what is generated or downloaded does not belong in Git"
        if path.suffix not in {".png", ".svg"} and b"\0" in path.read_bytes()[:8192]:
            yield f"{name}:1: is binary; commit what makes it instead"


def role_interfaces(root: Path) -> Iterator[str]:
    """A role's defaults and its argument_specs say the same: same names, same values, the role's own prefix."""
    for role in sorted(path for path in (root / "roles").glob("*") if path.is_dir()):
        specs_file = next(iter(role.glob("meta/argument_specs.y*ml")), None)
        defaults_file = next(iter(role.glob("defaults/main.y*ml")), None)
        name = role.relative_to(root)
        if specs_file is None:
            yield f"{name}:1: has no meta/argument_specs.yml"
            continue
        entry = (yaml.safe_load(specs_file.read_text()) or {}).get("argument_specs", {}).get("main", {})
        specified = {key: value.get("default") for key, value in entry.get("options", {}).items() if "default" in value}
        required = {key for key, value in entry.get("options", {}).items() if "default" not in value}
        defaults = (yaml.safe_load(defaults_file.read_text()) or {}) if defaults_file else {}
        for key in sorted(specified.keys() - defaults.keys()):
            yield f"{name}/meta/argument_specs.yml:1: {key} has a default here and none in defaults/main.yml"
        for key in sorted(defaults.keys() - specified.keys()):
            where = "has no default there" if key in required else "is not in meta/argument_specs.yml"
            yield f"{name}/defaults/main.yml:1: {key} {where}"
        for key in sorted(defaults.keys() & specified.keys()):
            if defaults[key] != specified[key]:
                here, there = defaults[key], specified[key]
                yield f"{name}/defaults/main.yml:1: {key} is {here!r} here and {there!r} in argument_specs"
        for key in sorted(defaults.keys() | specified.keys() | required):
            if not key.startswith((f"{role.name}_", f"_{role.name}_")):
                yield f"{name}/meta/argument_specs.yml:1: {key} lacks the role's prefix {role.name}_"


def broken_links(root: Path) -> Iterator[str]:
    """A page's links to other files of the project lead somewhere."""
    for name, text in texts(root):
        if not name.endswith(".md"):
            continue
        for match in re.finditer(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            if not (root / name).parent.joinpath(match.group(1)).exists():
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: links to {match.group(1)}, which is not there"


RULES = (
    dead_sources,
    registry_hosts,
    machine_paths,
    licence_headers,
    binaries,
    role_interfaces,
    broken_links,
)


def breaches(root: Path) -> list[str]:
    """All that is wrong in a tree."""
    return [sentence for rule in RULES for sentence in rule(root)]


def run() -> tuple[bool, str]:
    """The checkout's own breaches, for lint.py."""
    found = breaches(tree.ROOT)
    return not found, "\n".join(found)


if __name__ == "__main__":
    passed, output = run()
    print(output)
    sys.exit(not passed)
