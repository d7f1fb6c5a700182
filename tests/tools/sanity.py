# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of `ansible-test sanity`, without containers.

ansible-test wants a checkout below `ansible_collections/socle/platform`, so it gets a copy of the working tree there.
It would download a bootstrap script for pip; one of our own, put where it looks first, does the same from Python's
own ensurepip and the configured package index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import tree

BOOTSTRAP = """\
import ensurepip
import os
import subprocess
import sys

ensurepip.bootstrap()
packages = [argument for argument in sys.argv[1:] if not argument.startswith('-')]
# ensurepip's own pip is too old to ask the system for its certificates.
store = '/etc/ssl/certs/ca-certificates.crt'
extra = {'PIP_CERT': store} if os.path.exists(store) else {}
subprocess.check_call([sys.executable, '-m', 'pip', 'install', '--quiet', *packages], env={**os.environ, **extra})
"""


def home() -> Path:
    """ansible-test's home: its environments stay in the cache, the user's own home is left alone."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "socle" / "ansible-test"


def write_bootstrap(target: Path, python: str) -> None:
    """Put our script under each name that this ansible-test may look for."""
    from ansible_test._internal.python_requirements import get_venv_packages

    version = get_venv_packages(SimpleNamespace(version=python))["pip"].replace(".", "_")
    folder = target / ".ansible" / "test" / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"get_pip_{version}.py").write_text(BOOTSTRAP)


def copy_tree(target: Path) -> None:
    """Copy what Git would commit, and make it a checkout: ansible-test asks Git which files there are."""
    # Without the link: ansible-test would walk in circles.
    tree.copy(target, link=False)
    identity = ["-c", "user.name=lint", "-c", "user.email=lint@localhost"]
    for argv in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "--no-verify", "-m", "tree"]):
        subprocess.run(["git", *argv], cwd=target, check=True, capture_output=True)


def run() -> tuple[bool, str]:
    """Run all tests for the Python we run under."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    write_bootstrap(home(), python)
    bin_dir = Path(sys.executable).parent
    (tree.ROOT / "build").mkdir(exist_ok=True)
    # A folder of its own: two runs at once must not delete each other's files.
    with tempfile.TemporaryDirectory(prefix="sanity-", dir=tree.ROOT / "build", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "ansible_collections" / "socle" / "platform"
        copy_tree(copy)
        done = subprocess.run(
            [bin_dir / "ansible-test", "sanity", "--python", python, "--color", "no"],
            cwd=copy,
            env={**os.environ, "HOME": str(home()), "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode == 0, findings(done.stdout + done.stderr)


def findings(output: str) -> str:
    """What ansible-test found, without the names of its tests and of every package that it installs."""
    noise = re.compile(
        r"\s*(Running sanity test|Installing |Using cached|Looking in|Processing |Successfully |Collecting "
        r"|Downloading |\[notice\]|See documentation|━|$)"
    )
    return "\n".join(line for line in output.splitlines() if not noise.match(line))


if __name__ == "__main__":
    passed, output = run()
    print(output)
    sys.exit(not passed)
