# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Four unchanged layers of Google Cloud: our one task beside four tasks of the terraform module that people use.

Both run the same binary with the same providers, served from their schemas, on the same values; theirs gets each
layer's inputs ready-made and its folders initialised. A wrapper counts how often the binary is called.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "terraform"))

import tfprovider  # noqa: E402  # it lies apart from the package

BIN = Path(sys.executable).parent
LAYERS = ("gcp_project", "gcp_network", "gcp_delivery", "gke")
RUNS = 5
# The same module: cloud.terraform took it over from community.general, which the package `ansible` brings.
PEERS = ("cloud.terraform.terraform", "community.general.terraform")


def peer() -> str | None:
    """The peer that is installed here; SOCLE_PEER_COLLECTIONS may name one more folder of collections."""
    told = os.environ.get("SOCLE_PEER_COLLECTIONS", "")
    places = [Path(told)] if told else []
    if spec := importlib.util.find_spec("ansible_collections"):
        places += [Path(place) for place in spec.submodule_search_locations or []]
    for name in PEERS:
        module = Path(*name.split(".")[:2], "plugins", "modules", "terraform.py")
        if any((place / found).is_file() for place in places for found in (module, "ansible_collections" / module)):
            return name
    return None


class Bench:
    """One folder with both playbooks, and the environment that they run in."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.calls = folder / "calls.log"
        self.binary = folder / "terraform"
        real = shutil.which("terraform") or shutil.which("tofu")
        self.binary.write_text(f'#!/bin/sh\necho "$1" >> {self.calls}\nexec {real} "$@"\n')
        self.binary.chmod(0o755)
        told = os.environ.get("SOCLE_PEER_COLLECTIONS")
        collections = [ROOT / "playbooks" / "collections", *([Path(told)] if told else [])]
        self.env = {
            **os.environ,
            **env,
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, collections)),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "HOME": str(folder),
        }

    def play(self, name: str, tasks: list[dict[str, Any]]) -> list[str]:
        """Write a playbook for localhost; the command that runs it."""
        file = self.folder / f"{name}.yml"
        file.write_text(
            yaml.safe_dump(
                [
                    {
                        "name": name,
                        "hosts": "localhost",
                        "connection": "local",
                        "gather_facts": False,
                        "vars": {"ansible_python_interpreter": sys.executable},
                        "tasks": tasks,
                    }
                ]
            )
        )
        return [str(BIN / "ansible-playbook"), str(file)]

    def run(self, argv: list[str]) -> tuple[float, int, str]:
        """Seconds, calls of the binary, and what was printed."""
        self.calls.write_text("")
        begin = time.perf_counter()
        done = subprocess.run(argv, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
        return seconds, len(self.calls.read_text().split()), done.stdout


def layers() -> list[dict[str, Any]]:
    """The layers of the example gke-poc as our lookup describes them."""
    argv = [
        str(BIN / "ansible"), "-i", "inventories/gke-poc", "gke", "-m", "ansible.builtin.debug",
        "-a", f"msg={{{{ query('socle.platform.terraform_layers', *{list(LAYERS)}) | to_json }}}}",
    ]  # fmt: skip
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout[done.stdout.index("{") :])["msg"]
    found: list[dict[str, Any]] = json.loads(told) if isinstance(told, str) else told
    return found


def ours(bench: Bench, wanted: list[dict[str, Any]]) -> list[str]:
    stack = {
        "name": "bench",
        "layers": wanted,
        "binary": str(bench.binary),
        "work_dir": str(bench.folder / "work"),
    }
    return bench.play("ours", [{"name": "Keep", "socle.platform.terraform_stack": stack}])


def theirs(bench: Bench, wanted: list[dict[str, Any]], module: str) -> list[str]:
    """A task for each layer, on the folders that ours made: the same files, values and states."""
    tasks = []
    for layer in wanted:
        source = bench.folder / "theirs" / layer["name"]
        shutil.copytree(bench.folder / "work" / "bench" / layer["name"] / "source", source)
        shutil.copytree(Path(layer["source"]), source, dirs_exist_ok=True)
        tasks.append({"name": layer["name"], module: {"project_path": str(source), "binary_path": str(bench.binary)}})
    return bench.play("theirs", tasks)


def run() -> list[dict[str, Any]]:
    module = peer()
    with tfprovider.attached() as served, tempfile.TemporaryDirectory() as at:
        bench = Bench(Path(at), served.env)
        wanted = layers()
        mine = ours(bench, wanted)
        bench.run(mine)
        own, other, nothing = [], [], []
        empty = bench.play("nothing", [{"name": "Nothing", "ansible.builtin.debug": {"msg": "x"}}])
        argv = theirs(bench, wanted, module) if module else []
        if module:
            values(bench, wanted)
            for layer in wanted:
                folder = bench.folder / "theirs" / layer["name"]
                subprocess.run([str(bench.binary), "init"], cwd=folder, env=bench.env, capture_output=True, check=True)
        for _unused in range(RUNS):
            nothing.append(bench.run(empty)[0])
            own.append(bench.run(mine))
            if module:
                other.append(bench.run(argv))
        unchanged = "changed=0"
        assert unchanged in own[-1][2], own[-1][2]
        assert not module or unchanged in other[-1][2], other[-1][2]
    start = statistics.median(nothing)
    seconds = [statistics.median(one[0] for one in found) if found else None for found in (own, other)]
    tasks = [round(one - start, 3) if one is not None else None for one in seconds]
    calls = [statistics.median(one[1] for one in found) if found else None for found in (own, other)]
    what = f"Terraform: {len(LAYERS)} unchanged layers"
    note = f"theirs: {module}" if module else "no peer is installed here"
    return [
        row(what, seconds, "s", f"whole ansible-playbook; {note}"),
        row(f"{what}, the tasks alone", tasks, "s", f"without the {start:.1f} s of a playbook that does nothing"),
        row(f"{what}: calls of the binary", calls, "calls", ""),
    ]


def row(name: str, found: list[Any], unit: str, note: str) -> dict[str, Any]:
    return {"name": name, "ours": found[0], "theirs": found[1], "unit": unit, "runs": RUNS, "note": note}


def values(bench: Bench, wanted: list[dict[str, Any]]) -> None:
    """Write each layer's variables, those from other layers' outputs too, where the binary finds them by itself."""
    outputs: dict[str, dict[str, Any]] = {}
    for layer in wanted:
        state = json.loads((bench.folder / "work" / "bench" / "states" / f"{layer['name']}.tfstate").read_text())
        outputs[layer["name"]] = {name: told["value"] for name, told in state["outputs"].items()}
    for layer in wanted:
        inputs = {n: outputs[told["layer"]].get(told["output"]) for n, told in layer["inputs"].items()}
        given = {**layer["variables"], **layer.get("secrets", {}), **inputs}
        file = bench.folder / "theirs" / layer["name"] / "bench.auto.tfvars.json"
        file.write_text(json.dumps({name: value for name, value in given.items() if value is not None}))
