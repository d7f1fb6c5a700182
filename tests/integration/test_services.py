# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services as users meet them: the export as a program, and Argo CD's bootstrap on a real kube-apiserver."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab" / "apiserver"))
from apiserver import Cluster, writes  # noqa: E402  # it is a program of its own

pytest_plugins = ["apiserver_fixtures"]

BIN = Path(sys.executable).parent
CHARTS = Path(os.environ.get("SOCLE_CHARTS") or ROOT.parent / "shared" / "charts")


def test_the_export_says_everything_that_a_render_needs(tmp_path: Path) -> None:
    """Would catch an inventory, a service or a size that is missing, and an export over somebody's files."""
    command = [sys.executable, str(ROOT / "tests/tools/services_export.py"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out/index.json").read_text())
    inventories = {path.parent.name for path in ROOT.glob("inventories/*/*.socle.yml")} - {"cloud-run", "ecs", "lab"}
    assert inventories <= {row["inventory"] for row in rows}
    assert {row["size"] for row in rows} == {"small", "standard", "ha"}
    for row in rows:
        folder = tmp_path / "out" / row["folder"]
        assert yaml.safe_load((folder / "values.yaml").read_text()) is not None
        chart = yaml.safe_load((folder / "chart.yaml").read_text())
        if chart.get("chart"):
            assert {"repository", "version", "release", "namespace"} <= chart.keys()
        assert len(list(yaml.safe_load_all((folder / "objects.yaml").read_text()))) >= row["objects"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode != 0 and "wanted an empty folder" in again.stderr


def _kinds() -> list[dict[str, Any]]:
    """Argo CD's own kinds, of recorded data: its released manifests are no part of this project."""
    path = CHARTS / "argo-cd" / "crds-v3.5.1.json.gz"
    if not path.exists():
        pytest.skip("no data of Argo CD's kinds: neither ../shared/charts nor SOCLE_CHARTS")
    made = []
    for row in json.loads(gzip.decompress(path.read_bytes())):
        versions = [
            {
                "name": version["name"],
                "served": version["served"],
                "storage": version["storage"],
                "schema": {"openAPIV3Schema": version["openAPIV3Schema"]},
                "subresources": {name: {} for name in version.get("subresources") or ()},
            }
            for version in row["versions"]
        ]
        made.append(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {
                    "name": f"{row['plural']}.{row['group']}",
                    "annotations": {"api-approved.kubernetes.io": "unapproved"},
                },
                "spec": {
                    "group": row["group"],
                    "scope": row["scope"],
                    "names": {"kind": row["kind"], "plural": row["plural"], "singular": row["kind"].lower()},
                    "versions": versions,
                },
            }
        )
    return made


def test_the_bootstrap_on_a_real_api_server_and_a_second_run_writes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Would catch an object that the API refuses, a Secret without its value, and a write at each run."""
    names = ("argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm")
    released = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in names]
    (tmp_path / "install.yaml").write_text(yaml.safe_dump_all([*_kinds(), *released]))
    (tmp_path / "password").write_text("of-this-test\n")
    platform = {
        "name": "cater",
        "domain": "cater.example.org",
        "repository": "https://git.example.org/platform/cluster.git",
        "teams": {"ops": {"role": "owner"}},
        "environments": {"test": {"cluster": "main"}},
        "clusters": {
            "main": {
                "kind": "kubeadm",
                "home": True,
                "services": {
                    "monitoring": {},
                    "certificates": {"email": "ops@cater.example.org"},
                    "ingress": {},
                    "valkey": {},
                },
            }
        },
    }
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {
                "ansible_python_interpreter": sys.executable,
                "socle_secrets": {"backend": "file", "file": str(tmp_path / "secrets.vault.yml")},
                "argocd_platform": platform,
                "argocd_kubeconfig": str(cluster.kubeconfig),
                "argocd_install_file": str(tmp_path / "install.yaml"),
                "argocd_repository_token": "glpat-0f-this-test",
                "argocd_clusters": {"canada": {"server": "https://198.51.100.7", "token": "t0ken-of-canada"}},
                "argocd_wait": False,
            },
            "roles": ["socle.platform.argocd"],
        }
    ]
    # Beside the collections that the checkout has for its own plays.
    (tmp_path / "play.json").write_text(json.dumps(play))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [BIN / "ansible-playbook", tmp_path / "play.json", *arguments]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks/collections"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        }
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    for secret in ("glpat-0f-this-test", "t0ken-of-canada"):
        assert secret not in done.stdout
    space = cluster.get("/api/v1/namespaces/monitoring")
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    grafana = cluster.get("/api/v1/namespaces/monitoring/secrets/grafana-admin")
    password = base64.b64decode(grafana["data"]["admin-password"]).decode()
    assert re.fullmatch("[A-Za-z0-9]{32}", password) and password not in done.stdout
    tls = cluster.get("/api/v1/namespaces/cert-manager/secrets/socle-authority")
    assert b"BEGIN CERTIFICATE" in base64.b64decode(tls["data"]["tls.crt"])
    configuration = cluster.get("/api/v1/namespaces/argocd/configmaps/argocd-cm")
    assert configuration["data"]["url"] == "https://argocd.cater.example.org"
    managers = {row["manager"] for row in configuration["metadata"]["managedFields"]}
    assert managers == {"argocd-controller"}
    reached = cluster.get("/api/v1/namespaces/argocd/secrets/cluster-canada")
    assert json.loads(base64.b64decode(reached["data"]["config"]))["bearerToken"] == "t0ken-of-canada"
    root = cluster.get("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/platform")
    assert root["spec"]["source"]["path"] == "clusters"
    cluster.requests()
    again = run()
    assert again.returncode == 0, again.stdout
    assert re.search(r"localhost\s+: .*changed=0", again.stdout), again.stdout
    assert not writes(cluster.requests())
    assert cluster.get("/api/v1/namespaces/monitoring/secrets/grafana-admin")["data"] == grafana["data"]
