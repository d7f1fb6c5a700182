# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook, from a manifest to a repository behind a real git server on the loopback."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TOKEN = "glpat-Th1sIsTheToken"
BACKEND = "git-http-backend"


class Handler(BaseHTTPRequestHandler):
    """Git's own HTTP program, for whoever knows the token."""

    folder: Path
    backend: str
    refused: int = 0

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        wanted = "Basic " + base64.b64encode(f"oauth2:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            type(self).refused += 1
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _mark, query = self.path.partition("?")
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "oauth2",
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run([self.backend], input=body, capture_output=True, env=environment, check=False)
        head, _blank, content = done.stdout.partition(b"\r\n\r\n")
        rows = dict(row.split(": ", 1) for row in head.decode().split("\r\n") if ": " in row)
        self.send_response(int(rows.pop("Status", "200").split()[0]))
        for name, value in rows.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().strip(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    where = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    backend = shutil.which(BACKEND, path=f"{where}:{os.environ['PATH']}")
    if backend is None:
        if os.environ.get("SOCLE_REQUIRE_LAB"):
            pytest.fail("git has no http-backend here")
        pytest.skip("git has no http-backend here")
    folder = tmp_path / "served"
    folder.mkdir()
    bare = folder / "platform.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "config", "http.receivepack", "true"], check=True)
    handler = type("Served", (Handler,), {"folder": folder, "backend": backend})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/platform.git"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


INSTALL = "\n---\n".join(
    f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}"
    for name in ("argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm")
)


def _plain(value: Any) -> Any:
    """Older rules of YAML read the key `on` as true."""
    if isinstance(value, dict):
        return {"on" if key is True else key: _plain(inner) for key, inner in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


class Site:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.bare = folder / "served/platform.git"
        self.install = folder / "install.yaml"
        self.install.write_text(INSTALL)
        self.manifest(monitoring={})

    def manifest(self, **services: Any) -> None:
        """An inventory with one cluster and these services beside the usual ones."""
        data = _plain(yaml.safe_load((ROOT / "inventories/onprem/platform.socle.yml").read_text()))
        data["secrets"] = {"backend": "file"}
        for section in ("delivery", "clouds", "apps", "terraform"):
            data.pop(section, None)
        data["services"] = {
            "argocd": {"repository": self.url},
            "ingress": {},
            "certificates": {"email": "ops@cater.example.org"},
            "load_balancer": {},
            **services,
        }
        (self.folder / "inventory").mkdir(exist_ok=True)
        (self.folder / "inventory/platform.socle.yml").write_text(json.dumps(data, indent=1))

    def play(self, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        told = {
            "platform_repository_token": TOKEN,
            "platform_repository_argocd_file": str(self.install),
            **variables,
        }
        (self.folder / "variables.json").write_text(json.dumps(told))
        command = [BIN / "ansible-playbook", "playbooks/services.yml", "-i", self.folder / "inventory", *arguments]
        return subprocess.run(
            [*map(str, command), "-e", f"@{self.folder / 'variables.json'}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "GIT_CONFIG_GLOBAL": os.devnull},
        )

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.bare, capture_output=True, text=True, check=True
        ).stdout.strip()

    def shown(self, path: str) -> Any:
        return yaml.safe_load(self.git("show", f"main:{path}"))


@pytest.fixture
def site(tmp_path: Path, server: str) -> Site:
    return Site(tmp_path, server)


def changed(output: str) -> int:
    match = re.search(r"localhost\s+: .*changed=(\d+)", output)
    assert match, output
    return int(match.group(1))


def test_from_a_manifest_to_a_repository_and_a_second_run_changes_nothing(site: Site) -> None:
    """Would catch a repository that is not what the manifest says, a token that is told, and a commit at each run."""
    planned = site.play("--check", "--diff")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert changed(planned.stdout) == 1
    assert "services/cert-manager/values.yaml" in planned.stdout
    assert site.git("for-each-ref") == "", "a plan has written"
    done = site.play()
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done.stdout) == 1
    assert TOKEN not in done.stdout + done.stderr + planned.stdout
    assert site.git("rev-list", "--count", "main") == "1"
    application = site.shown("services/cert-manager/application-kubernetes.yaml")
    assert application["spec"]["sources"][0]["targetRevision"] == "v1.21.1"
    assert application["spec"]["sources"][1]["repoURL"] == site.url
    # What looks like a template of Ansible's comes through as it is.
    rules = site.git("show", "main:services/kube-prometheus-stack/objects-kubernetes.yaml")
    assert "{{ $labels.namespace }}" in rules
    names = site.git("ls-tree", "-r", "--name-only", "main").splitlines()
    assert {"bootstrap/install.yaml", "bootstrap/kustomization.yaml", "clusters/kubernetes.yaml"} <= set(names)
    assert site.git("show", "main:bootstrap/install.yaml") == INSTALL
    again = site.play()
    assert again.returncode == 0 and changed(again.stdout) == 0, again.stdout
    assert site.git("rev-list", "--count", "main") == "1"


def test_a_service_comes_and_goes_and_a_hand_is_respected(site: Site, tmp_path: Path) -> None:
    """Would catch files that stay behind, and work of a person that a run of the playbook undoes."""
    assert site.play().returncode == 0
    person = tmp_path / "ada"
    subprocess.run(
        ["git", "clone", "--quiet", str(site.bare), str(person)], cwd=tmp_path, check=True, capture_output=True
    )
    values = person / "services/cert-manager/values.yaml"
    values.write_text(values.read_text().replace("replicaCount: 1", "replicaCount: 5", 1))
    (person / "environments/test/shop").mkdir(parents=True)
    (person / "environments/test/shop/app.yaml").write_text("a: 1\n")
    ada = ["git", "-C", str(person), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run([*ada, "add", "-A"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run([*ada, "commit", "--quiet", "-m", "More copies"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run([*ada, "push", "--quiet"], cwd=tmp_path, check=True, capture_output=True)
    site.manifest(logging={})
    refused = site.play()
    assert refused.returncode != 0
    said = refused.stdout.replace("\\n", "\n")
    assert "services/cert-manager/values.yaml: it was changed by hand" in said
    assert "-replicaCount: 5" in said and "+replicaCount: 1" in said
    assert site.git("rev-list", "--count", "main") == "2"
    forced = site.play(platform_repository_force=True, platform_repository_reason="Logs are wanted.")
    assert forced.returncode == 0, forced.stdout
    names = site.git("ls-tree", "-r", "--name-only", "main").splitlines()
    assert "environments/test/shop/app.yaml" in names
    assert any(name.startswith("services/loki/") for name in names)
    assert not any(name.startswith("services/kube-prometheus-stack/") for name in names)
    assert "Logs are wanted." in site.git("log", "-1", "--format=%B")
    assert site.shown("services/cert-manager/values.yaml")["replicaCount"] == 1


def test_a_wrong_token_and_a_missing_repository_are_said(site: Site) -> None:
    """Would catch a password prompt that hangs, and an error without the repository's address."""
    wrong = site.play(platform_repository_token="wrong")
    assert wrong.returncode != 0 and "check the token" in wrong.stdout and site.url in wrong.stdout
    absent = site.play(platform_repository_repository=site.url.replace("platform.git", "other.git"))
    assert absent.returncode != 0 and "there is no such repository" in absent.stdout
    site.manifest()
    none = site.play(platform_repository_repository="")
    assert none.returncode != 0 and "services: {argocd: {repository:" in none.stdout
