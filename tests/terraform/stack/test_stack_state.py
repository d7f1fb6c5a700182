# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where terraform_stack keeps states: over HTTP, in S3 with its lock file, in buckets made first; and stale locks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.socle.platform.plugins.module_utils._objects import AdapterError
from ansible_collections.socle.platform.plugins.module_utils._terraform import buckets
from ansible_collections.socle.platform.plugins.module_utils._terraform.backends import State
from ansible_collections.socle.platform.plugins.module_utils._values import Secret
from tfprovider import Attached

sys.path.insert(0, str(Path(__file__).resolve().parent))
from servers import Buckets, States, served

NET = "google_compute_network"
LOCK = {
    "ID": "5ed55d1c-91a6-49c3-b1b5-2ad6a3a5f6a6",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "ada@build-7",
    "Version": "1.11.4",
    "Created": "2026-11-20T08:15:00.123456789Z",
    "Path": "",
}


@pytest.fixture
def gitlab() -> Iterator[States]:
    with served(States()) as made:
        yield made


@pytest.fixture
def over_http(stack: Any, gitlab: States) -> Any:
    stack.parameters["state"] = {
        "backend": "http",
        "address": f"{gitlab.url}/api/v4/projects/1/terraform/state/",
        "username": "ci",
        "password": "glpat-secret",
    }
    return stack


def test_states_over_http_are_locked_and_found_again(over_http: Any, gitlab: States) -> None:
    """Would catch a state without lock, a password in a file, or a second run that starts from nothing."""
    result = over_http()
    assert not result["failed"], result["msg"]
    paths = {path.rsplit("/", maxsplit=1)[-1] for path in gitlab.states}
    assert paths == {"demo-network", "demo-database"} and gitlab.locks == {}
    assert gitlab.locked == set(gitlab.states)
    assert all(user.startswith("Basic ") for user in gitlab.users)
    files = [file for file in over_http.work.rglob("*") if file.is_file()]
    assert not any(b"glpat-secret" in file.read_bytes() for file in files)
    assert not over_http()["changed"]


def test_a_stale_lock_is_explained_and_removed_only_on_request(over_http: Any, gitlab: States) -> None:
    """Would catch a lock broken unasked, or one that nobody can get rid of."""
    over_http()
    path = next(path for path in gitlab.states if path.endswith("demo-network"))
    gitlab.locks[path] = LOCK
    over_http.network["variables"]["name"] = "other"
    allow = [NET, "google_sql_database_instance"]
    refused = over_http(allow=allow)
    assert refused["failed"]
    assert "locked by ada@build-7 (apply) since 2026-11-20 08:15:00 UTC" in refused["msg"]
    assert f"unlock: ['{LOCK['ID']}']" in refused["msg"]
    assert gitlab.locks == {path: LOCK}
    wrong = over_http(unlock=["another"], allow=allow)
    assert wrong["failed"] and gitlab.locks == {path: LOCK}
    shown = over_http(check=True, unlock=[LOCK["ID"]], allow=allow)
    assert not shown["failed"], shown["msg"]
    assert gitlab.locks == {path: LOCK}
    result = over_http(unlock=[LOCK["ID"]], allow=allow)
    assert not result["failed"], result["msg"]
    assert gitlab.locks == {} and result["outputs"]["network"]["name"] == "other"


def test_a_lock_alone_is_a_change(over_http: Any, gitlab: States) -> None:
    """Would catch an unlock skipped because the layer itself needs nothing."""
    over_http()
    path = next(path for path in gitlab.states if path.endswith("demo-network"))
    gitlab.locks[path] = LOCK
    result = over_http(unlock=[LOCK["ID"]])
    assert not result["failed"] and result["changed"], result
    assert gitlab.locks == {}
    assert not over_http()["changed"]


@pytest.fixture
def moto() -> Iterator[str]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # Its content belongs to the process, not to the server.
    requests.post(f"{url}/moto-api/reset", timeout=30)
    yield url
    server.stop()


def test_a_missing_bucket_is_made_first_and_holds_the_states(stack: Any, attached: Attached, moto: str) -> None:
    """Would catch a bucket that check mode makes, an open or unversioned one, or states kept elsewhere."""
    import boto3

    stack.parameters["state"] = {
        "backend": "s3", "bucket": "cater-states", "region": "eu-west-3", "endpoint": moto, "prefix": "tf",
        "access_key": "AKIASTATEKEY", "secret_key": "state-secret-key",
    }  # fmt: skip
    client = boto3.client(
        "s3", endpoint_url=moto, region_name="eu-west-3", aws_access_key_id="a", aws_secret_access_key="b"
    )
    shown = stack(check=True)
    assert not shown["failed"], shown["msg"]
    assert [one["key"] for one in shown["objects"]] == ["state bucket cater-states", "network", "database"]
    assert client.list_buckets()["Buckets"] == []
    result = stack()
    assert not result["failed"], result["msg"]
    keys = {item["Key"] for item in client.list_objects_v2(Bucket="cater-states")["Contents"]}
    assert keys == {"tf/demo/network.tfstate", "tf/demo/database.tfstate"}
    assert client.get_bucket_versioning(Bucket="cater-states")["Status"] == "Enabled"
    assert client.get_public_access_block(Bucket="cater-states")["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    rules = client.get_bucket_encryption(Bucket="cater-states")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert not stack()["changed"]
    client.put_object(Bucket="cater-states", Key="tf/demo/network.tfstate.tflock", Body=json.dumps(LOCK).encode())
    refused = stack()
    assert refused["failed"] and "locked by ada@build-7" in refused["msg"]
    for file in stack.work.rglob("*"):
        if file.is_file() and b"state-secret-key" in file.read_bytes():
            assert file.name == "state-credentials" and file.stat().st_mode & 0o777 == 0o600


def gcs(url: str, **more: Any) -> State:
    options = {"bucket": "cater-states", "project": "cater", "region": "europe-west9", "endpoint": url, **more}
    return State("gcs", "demo", Path("/nonexistent"), options)


def test_states_lie_in_a_google_bucket_that_is_made_first(stack: Any) -> None:
    """Would catch a backend block that the binary does not take, a lock that stays, or one that nobody is named for."""
    with served(Buckets()) as google:
        stack.parameters["state"] = {
            "backend": "gcs", "bucket": "cater-states", "prefix": "cater", "project": "p",
            "endpoint": f"{google.url}/storage/v1/",
        }  # fmt: skip
        stack.parameters["credentials"] = {"GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.secret-token"}
        result = stack()
        assert not result["failed"], result["msg"]
        assert set(google.objects) == {
            ("cater-states", f"cater/demo/{layer}/default.tfstate") for layer in ("network", "database")
        }
        assert not stack()["changed"]
        held = {**LOCK, "Path": "gs://cater-states/x"}
        google.objects["cater-states", "cater/demo/network/default.tflock"] = (7, json.dumps(held).encode())
        refused = stack()
        assert refused["failed"] and "locked by ada@build-7 (apply)" in refused["msg"], refused["msg"]
        identity = refused["msg"].partition("unlock: ['")[2].partition("'")[0]
        assert not stack(unlock=[identity])["failed"]
        assert not any(name.endswith(".tflock") for _bucket, name in google.objects)


def test_a_google_bucket_is_made_private_and_versioned() -> None:
    """Would catch a bucket of states that is public, without versions, or in another place than asked."""
    with served(Buckets()) as google:
        state = gcs(f"{google.url}/storage/v1/", kms_key="projects/p/locations/l/keyRings/r/cryptoKeys/k")
        assert not buckets.exists(state)
        buckets.create(state)
        assert buckets.exists(state)
        made = google.buckets["cater-states"]
    assert made["versioning"] == {"enabled": True} and made["location"] == "europe-west9"
    assert made["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert made["encryption"]["defaultKmsKeyName"].endswith("/k")


def test_a_bucket_that_may_not_be_looked_up_is_said_so() -> None:
    """Would catch a refusal taken for 'not there', and a bucket made in somebody else's name."""
    with served(Buckets()) as google:
        google.refuse = 403
        with pytest.raises(AdapterError, match=r"cater-states: cannot look whether it is there: no storage\.buckets"):
            buckets.exists(gcs(google.url))


def test_blocks_of_each_backend_keep_layers_and_stacks_apart(tmp_path: Path) -> None:
    """Would catch two layers in one state, or a secret in a backend block."""
    s3 = State("s3", "canada", tmp_path, {"bucket": "b", "region": "eu-west-3"})
    assert s3.block("gke")["s3"] == {
        "bucket": "b", "key": "canada/gke.tfstate", "region": "eu-west-3", "encrypt": True, "use_lockfile": True,
    }  # fmt: skip
    keys = {"access_key": Secret("SCWKEY"), "secret_key": Secret("scw-secret")}
    scaleway = State("scaleway", "paris", tmp_path, {"bucket": "b", "region": "fr-par", "prefix": "x/", **keys})
    block = scaleway.block("kapsule")["s3"]
    assert block["endpoints"] == {"s3": "https://s3.fr-par.scw.cloud"} and block["key"] == "x/paris/kapsule.tfstate"
    assert block["use_lockfile"] is True and "scw-secret" not in json.dumps(block)
    google = State("gcs", "canada", tmp_path, {"bucket": "b"})
    assert google.block("gke") == {"gcs": {"bucket": "b", "prefix": "canada/gke"}}
    local = State("local", "canada", tmp_path, {"path": "/states"})
    assert local.block("gke") == {"local": {"path": "/states/canada/gke.tfstate"}}
