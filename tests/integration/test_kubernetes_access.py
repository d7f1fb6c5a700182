# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to log in to a cluster, on a real kube-apiserver; what a login says when it does not work."""

from __future__ import annotations

import base64
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from ansible_collections.socle.platform.plugins.module_utils._kubernetes import clouds, config
from cryptography.hazmat.primitives.asymmetric import rsa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "apiserver"))
from apiserver import Cluster, private
from apiserver_tasks import configmap, objects

pytest_plugins = ["apiserver_fixtures"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No login of whoever runs this."""
    for name in [name for name in os.environ if name.startswith(("K8S_AUTH", "KUBE", "AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def users(cluster: Cluster, result: dict[str, Any]) -> set[str]:
    assert not result["failed"], result["msg"]
    return {told["user"] for told in cluster.requests() if told["agent"] == "socle.platform"}


def test_tokens_and_certificates(cluster: Cluster, space: str, tmp_path: Path) -> None:
    """Would catch a login that is read from a kubeconfig or from the parameters, and not used."""
    body = configmap("c", space, a="1")
    assert users(cluster, objects(cluster, body)) == {"admin"}
    text = json.dumps(cluster.kubeconfig_for({"token": cluster.token}))
    assert users(cluster, objects(cluster, body, kubeconfig_data=text)) == {"witness"}
    (tmp_path / "token").write_text(cluster.token + "\n")
    (tmp_path / "config").write_text(yaml.safe_dump(cluster.kubeconfig_for({"tokenFile": "token"})))
    assert users(cluster, objects(cluster, body, kubeconfig=str(tmp_path / "config"))) == {"witness"}
    direct = {"host": cluster.host, "ca_path": str(cluster.ca_path)}
    assert users(cluster, objects(cluster, body, **direct, token=cluster.token)) == {"witness"}
    (tmp_path / "c.crt").write_text(cluster.admin.certificate)
    (tmp_path / "c.key").write_text(cluster.admin.key)
    pair = {"client_cert": str(tmp_path / "c.crt"), "client_key": str(tmp_path / "c.key")}
    assert users(cluster, objects(cluster, body, **direct, **pair)) == {"admin"}


def test_a_login_program(cluster: Cluster, space: str, tmp_path: Path) -> None:
    """Would catch kubeconfigs with a program (exec), which is how OIDC and most clouds log in."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": cluster.token},
    }
    (tmp_path / "login.py").write_text(f"print({json.dumps(json.dumps(answer))})")
    entry = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable,
                      "args": [str(tmp_path / "login.py")], "interactiveMode": "Never"}}  # fmt: skip
    text = json.dumps(cluster.kubeconfig_for(entry))
    assert users(cluster, objects(cluster, configmap("c", space, a="1"), kubeconfig_data=text)) == {"witness"}
    (tmp_path / "login.py").write_text("raise SystemExit('no ticket')")
    failed = objects(cluster, configmap("c", space, a="1"), kubeconfig_data=text)
    assert failed["failed"]
    assert "login" in failed["msg"]


def test_in_a_pod(cluster: Cluster, space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a task in a pod that asks for a kubeconfig."""
    for name, text in (("token", cluster.token), ("ca.crt", cluster.authority.pem), ("namespace", space)):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(config, "IN_CLUSTER", tmp_path)
    found = urlsplit(cluster.host)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(found.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(found.port))
    access = config.access({})
    assert access.host == cluster.host
    assert access.headers() == {"Authorization": f"Bearer {cluster.token}"}


class Google(http.server.BaseHTTPRequestHandler):
    """Gives the token that the server of the test holds."""

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert asked["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        self._say({"access_token": self.server.token, "expires_in": 3600, "token_type": "Bearer"})  # type: ignore[attr-defined] # put there by the test

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == f"Bearer {self.server.token}"  # type: ignore[attr-defined] # as above
        assert self.path == "/v1/projects/p/locations/l/clusters/c"
        self._say(self.server.cluster)  # type: ignore[attr-defined] # as above

    def _say(self, told: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_arguments: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def google(cluster: Cluster) -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Google)
    authority = base64.b64encode(cluster.authority.pem.encode()).decode()
    server.token = cluster.token  # type: ignore[attr-defined] # for the handler
    server.cluster = {"endpoint": cluster.host, "masterAuth": {"clusterCaCertificate": authority}}  # type: ignore[attr-defined] # as above
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_gke_with_a_service_account(
    cluster: Cluster, space: str, tmp_path: Path, google: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch a GKE login that needs gcloud, or a cluster whose address and authority are not asked of Google."""
    url = f"http://127.0.0.1:{google.server_address[1]}"
    account = {"type": "service_account", "client_email": "a@p.example", "token_uri": f"{url}/token", "project_id": "p",
               "private_key": private(rsa.generate_private_key(65537, 2048)), "private_key_id": "1"}  # fmt: skip
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setattr(clouds, "GOOGLE", f"{url}/v1")
    gke = {"cluster": "c", "project": "p", "location": "l", "credentials_file": str(tmp_path / "account.json")}
    assert users(cluster, objects(cluster, configmap("c", space, a="1"), gke=gke)) == {"witness"}


def test_eks_tokens_are_requests_that_aws_would_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a token without the cluster's name in what is signed: EKS refuses it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-example")
    eks = {"cluster": "prod", "region": "ca-central-1", "endpoint": "https://eks.example"}
    made = config.access({"eks": eks})
    assert made.host == "https://eks.example"
    token = made.headers()["Authorization"].removeprefix("Bearer ")
    assert token.startswith("k8s-aws-v1.")
    raw = token.removeprefix("k8s-aws-v1.")
    url = urlsplit(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode())
    asked = parse_qs(url.query)
    assert url.hostname == "sts.ca-central-1.amazonaws.com"
    assert asked["Action"] == ["GetCallerIdentity"]
    assert "x-k8s-aws-id" in asked["X-Amz-SignedHeaders"][0]
    assert asked["X-Amz-Expires"] == ["60"]
    assert "secret-example" not in url.query


def test_what_is_said_when_it_does_not_work(cluster: Cluster, space: str, tmp_path: Path) -> None:
    """Would catch a traceback, a key in an error, or a wait of minutes where the login is plainly wrong."""
    body = configmap("c", space, a="1")

    def said(**parameters: Any) -> str:
        result = objects(cluster, body, **{"deadline": 2, **parameters})
        assert result["failed"]
        assert "defect" not in result["msg"]
        return str(result["msg"])

    assert "there is no context 'x'; there are: lab" in said(context="x")
    assert "kubeconfig /nowhere: No such file" in said(kubeconfig="/nowhere")
    assert "no kubeconfig" in said(kubeconfig_data="just: yaml")
    assert "renew it" in said(host=cluster.host, ca_path=str(cluster.ca_path), token="wrong")
    assert "certificate" in said(host=cluster.host, token=cluster.token)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert f"https://127.0.0.1:{port} cannot be reached" in said(host=f"127.0.0.1:{port}", token="x")
    broken = cluster.kubeconfig_for(cluster.certificate_user(cluster.admin))
    broken["users"][0]["user"]["client-key-data"] = base64.b64encode(b"no key at all").decode()
    assert "not usable" in said(kubeconfig_data=json.dumps(broken))


def test_a_whole_playbook_shows_neither_login_nor_secret(cluster: Cluster, space: str, tmp_path: Path) -> None:
    """Would catch what only the real process does: Ansible's own record of parameters, at -vvv."""
    entry = cluster.certificate_user(cluster.admin)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"pin": "open-sesame"}}
    task = {
        "socle.platform.kubernetes_objects": {
            "kubeconfig_data": yaml.safe_dump(cluster.kubeconfig_for(entry)), "namespace": space, "objects": [secret]
        }
    }  # fmt: skip
    book = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Secret", **task, "register": "told"}]}]
    (tmp_path / "book.yml").write_text(yaml.safe_dump(book))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        "localhost,",
        "-c",
        "local",
        "-vvv",
        "--diff",
    ]
    done = subprocess.run(
        [*command, str(tmp_path / "book.yml")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.get(f"/api/v1/namespaces/{space}/secrets/s") is not None
    told = done.stdout + done.stderr
    for text in ("open-sesame", base64.b64encode(b"open-sesame").decode(), entry["client-key-data"]):
        assert text not in told
    assert '"data": "(secret)"' in told
