# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vault's protocol against a real OpenBao server."""

from __future__ import annotations

import base64
import json
import multiprocessing
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._reconcile import plan
from ansible_collections.socle.platform.plugins.module_utils._secrets import adapter
from ansible_collections.socle.platform.plugins.module_utils._secrets.config import open_store
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import (
    Conflict,
    KindMismatch,
    StoreError,
    UsageError,
)
from ansible_collections.socle.platform.plugins.module_utils._secrets.keeper import Keeper
from ansible_collections.socle.platform.plugins.module_utils._secrets.kinds import Spec, generate
from ansible_collections.socle.platform.plugins.module_utils._secrets.kv2 import VaultStore
from ansible_collections.socle.platform.plugins.module_utils._secrets.reference import Reference
from ansible_collections.socle.platform.plugins.module_utils._secrets.store import new
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

Vault = Callable[..., Any]
ALL = 'path "socle/*" { capabilities = ["create", "read", "update", "list", "delete"] }'


@pytest.fixture
def name() -> str:
    """A path of this test's own: the server is shared."""
    return f"t{secrets.token_hex(4)}/password"


def raw(bao: Any, name: str) -> dict[str, Any]:
    data: dict[str, Any] = bao.client().secrets.kv.v2.read_secret_version(
        name, mount_point="socle", raise_on_deleted_version=True
    )["data"]
    return data


def put(bao: Any, name: str, **fields: Any) -> None:
    bao.client().secrets.kv.v2.create_or_update_secret(name, secret=fields, mount_point="socle")


def test_made_once_with_its_kind_and_age_and_the_same_ever_after(bao: Any, vault: Vault, name: str) -> None:
    first, made = Keeper(vault()).ensure(name, Spec())
    stored = raw(bao, name)
    assert made and stored["data"] == dict(first.fields) and stored["metadata"]["version"] == 1
    assert stored["metadata"]["custom_metadata"]["kind"] == "password"
    second, again = Keeper(vault()).ensure(name, Spec())
    assert not again and second.fields == first.fields and raw(bao, name)["metadata"]["version"] == 1
    assert second.kind == "password" and second.generation == 1
    assert second.created and second.rotated and second.created.endswith("Z")


def test_a_prefix_is_a_folder_in_the_mount(bao: Any, vault: Vault, name: str) -> None:
    kept, _made = Keeper(vault(prefix="/cater/")).ensure(name, Spec())
    assert raw(bao, f"cater/{name}")["data"] == dict(kept.fields)
    assert vault(prefix="cater").list() == [name] and f"cater/{name}" in vault().list()


def _make(address: str, token: str, names: list[str], out: Any) -> None:
    settings = {"backend": "vault", "address": address, "auth": {"token": token}}
    keeper = Keeper(open_store(settings, folder=None, passwords=list, environ={}))
    out.put([(path, *_pair(keeper.ensure(path, Spec()))) for path in names])


def _pair(kept: Any) -> tuple[str, bool]:
    return kept[0].fields["password"], kept[1]


def test_four_processes_agree_on_every_value(bao: Any, name: str) -> None:
    """Without check-and-set the last one wins and the others hold a value that nobody keeps."""
    names = [f"{name}{n}" for n in range(15)]
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    workers = [context.Process(target=_make, args=(bao.address, bao.token, names, out)) for _each in range(4)]
    for worker in workers:
        worker.start()
    answers = [out.get(timeout=60) for _each in workers]
    for worker in workers:
        worker.join(timeout=30)
    for number, path in enumerate(names):
        assert {answer[number][1] for answer in answers} == {raw(bao, path)["data"]["password"]}
        assert sum(answer[number][2] for answer in answers) == 1
        assert raw(bao, path)["metadata"]["version"] == 1


@pytest.mark.parametrize("before", [False, True], ids=["after the effect", "before the effect"])
@pytest.mark.parametrize("match", ["POST /v1/socle/data", "PUT /v1/socle/data", "GET /v1/socle/data"])
def test_a_lost_answer_never_makes_a_value_twice(
    bao: Any, server: Any, vault: Vault, name: str, match: str, before: bool
) -> None:
    """The connection is cut right after (or before) the write took effect."""
    proxy = server.LosingProxy(bao.port, match, lose=2, before=before)
    try:
        kept, _made = Keeper(vault(address=proxy.address)).ensure(name, Spec())
    finally:
        proxy.close()
    stored = raw(bao, name)
    assert stored["data"] == dict(kept.fields) and stored["metadata"]["version"] == 1
    assert stored["metadata"]["custom_metadata"]["kind"] == "password"
    assert proxy.seen == 0 or proxy.lose == 0 or "POST" in match or "PUT" in match


def test_the_lost_answer_really_was_lost(bao: Any, server: Any, vault: Vault, name: str) -> None:
    """Guards the test above: one of its methods must be the one that writes."""
    seen = 0
    for match in ("POST /v1/socle/data", "PUT /v1/socle/data"):
        proxy = server.LosingProxy(bao.port, match, lose=1)
        Keeper(vault(address=proxy.address)).ensure(name + match[:3], Spec())
        proxy.close()
        seen += 1 - proxy.lose
    assert seen == 1


def test_a_rotation_whose_answer_was_lost_happens_once(bao: Any, server: Any, vault: Vault, name: str) -> None:
    Keeper(vault()).ensure(name, Spec())
    proxy = server.LosingProxy(bao.port, "/v1/socle/data", lose=0)
    keeper = Keeper(vault(address=proxy.address))
    keeper.find(name)
    proxy.match, proxy.lose = b"POST /v1/socle/data", 1
    kept = keeper.rotate(name, Spec(), expect=keeper.find(name))
    proxy.close()
    stored = raw(bao, name)
    assert proxy.lose == 0 and stored["metadata"]["version"] == 2 and stored["data"] == dict(kept.fields)


def test_rotation_is_a_new_version_and_the_old_one_stays(bao: Any, vault: Vault, name: str) -> None:
    first, _made = Keeper(vault()).ensure(name, Spec())
    put(bao, name, **dict(first.fields), user="ada")
    second = Keeper(vault()).rotate(name, Spec())
    assert second.generation == 3 and second.fields["user"] == "ada"
    assert second.fields["password"] != first.fields["password"]
    found = Keeper(vault()).find(name)
    assert found and found.fields == second.fields and found.created == first.created and found.generation == 3
    old = bao.client().secrets.kv.v2.read_secret_version(
        name, version=1, mount_point="socle", raise_on_deleted_version=True
    )
    assert old["data"]["data"] == dict(first.fields)


def test_a_rotation_of_what_somebody_changed_meanwhile_is_refused(bao: Any, vault: Vault, name: str) -> None:
    first, _made = Keeper(vault()).ensure(name, Spec())
    put(bao, name, password="by hand")
    with pytest.raises(Conflict, match="another run changed it"):
        Keeper(vault()).rotate(name, Spec(), expect=first)
    assert raw(bao, name)["data"] == {"password": "by hand"}


def test_what_a_human_stored_is_used_and_never_touched(bao: Any, vault: Vault, name: str) -> None:
    put(bao, name, password="by hand", port=8200)
    found, made = Keeper(vault()).ensure(name, Spec())
    assert not made and found.fields == {"password": "by hand", "port": "8200"} and found.kind is None
    assert found.rotated, "its age is known all the same"
    with pytest.raises(KindMismatch, match="stored by hand with the fields password, port"):
        Keeper(vault()).ensure(name, Spec("ed25519"))
    assert raw(bao, name)["metadata"]["version"] == 1


def test_a_value_that_an_api_made_is_kept_without_a_kind(bao: Any, vault: Vault, name: str) -> None:
    vault().create(name, new({"token": "abc"}, None))
    found = vault().read(name)
    assert found and found.kind is None and found.fields == {"token": "abc"} and found.created
    assert "kind" not in raw(bao, name)["metadata"]["custom_metadata"]


def test_another_kind_is_an_error(bao: Any, vault: Vault, name: str) -> None:
    Keeper(vault()).ensure(name, Spec())
    with pytest.raises(KindMismatch, match="asked for kind ed25519, found kind password"):
        Keeper(vault()).ensure(name, Spec("ed25519"))
    assert raw(bao, name)["metadata"]["version"] == 1


def test_a_deleted_version_is_never_made_anew_and_the_command_helps(bao: Any, vault: Vault, name: str) -> None:
    kept, _made = Keeper(vault()).ensure(name, Spec())
    bao.client().secrets.kv.v2.delete_latest_version_of_secret(name, mount_point="socle")
    with pytest.raises(StoreError, match=rf"version 1 was deleted.*bao kv undelete -mount=socle -versions=1 {name}"):
        Keeper(vault()).ensure(name, Spec())
    bao.client().secrets.kv.v2.undelete_secret_versions(name, versions=[1], mount_point="socle")
    assert Keeper(vault()).ensure(name, Spec()) == (kept, False) or raw(bao, name)["data"] == dict(kept.fields)


def test_a_destroyed_version_is_never_made_anew_and_the_command_helps(bao: Any, vault: Vault, name: str) -> None:
    Keeper(vault()).ensure(name, Spec())
    client = bao.client()
    client.secrets.kv.v2.destroy_secret_versions(name, versions=[1], mount_point="socle")
    with pytest.raises(StoreError, match=rf"destroyed.*bao kv metadata delete -mount=socle {name}"):
        Keeper(vault()).ensure(name, Spec())
    client.secrets.kv.v2.delete_metadata_and_all_versions(name, mount_point="socle")
    assert Keeper(vault()).ensure(name, Spec())[1]


def test_a_policy_that_forbids_is_named_with_the_rule_to_add(bao: Any, vault: Vault, name: str) -> None:
    token = bao.policy_token("nothing", 'path "other/*" { capabilities = ["read"] }')
    with pytest.raises(StoreError) as caught:
        Keeper(vault(auth={"token": token})).ensure(name, Spec())
    said = str(caught.value)
    assert f'path "socle/data/{name}" {{ capabilities = ["read"] }}' in said
    assert "permission denied" in said and bao.address in said and f"secret {name}" in said
    assert token not in said


def test_a_token_that_may_only_read_reads_and_says_what_making_needs(bao: Any, vault: Vault, name: str) -> None:
    kept, _made = Keeper(vault()).ensure(name, Spec())
    token = bao.policy_token("readonly", 'path "socle/data/*" { capabilities = ["read"] }')
    reader = vault(auth={"token": token})
    assert Keeper(reader).ensure(name, Spec()) == (Keeper(vault()).find(name), False)
    assert kept.fields == Keeper(reader).find(name).fields  # type: ignore[union-attr] # just read
    with pytest.raises(StoreError, match=r'capabilities = \["create", "update", "read"\]'):
        Keeper(reader).ensure(name + "x", Spec())


def test_without_a_right_on_metadata_the_value_is_kept_and_it_is_said(bao: Any, vault: Vault, name: str) -> None:
    token = bao.policy_token("data", 'path "socle/data/*" { capabilities = ["create", "read", "update"] }')
    remarks: list[str] = []
    kept, made = Keeper(vault(remark=remarks.append, auth={"token": token})).ensure(name, Spec())
    assert made and raw(bao, name)["data"] == dict(kept.fields)
    assert "kind could not be noted" in remarks[0] and f'path "socle/metadata/{name}"' in remarks[0]
    assert kept.fields["password"] not in remarks[0]
    assert not Keeper(vault()).ensure(name, Spec())[1]


def test_an_expired_token_is_told_from_a_forbidding_policy(bao: Any, vault: Vault, name: str) -> None:
    token = bao.policy_token("all", ALL)
    store = vault(auth={"token": token})
    Keeper(store).ensure(name, Spec())
    bao.client().auth.token.revoke(token)
    with pytest.raises(StoreError, match=r"not valid any more.*Log in again") as caught:
        store.read(name)
    assert token not in str(caught.value)


def test_no_token_at_all_says_how_to_get_one(vault: Vault, name: str) -> None:
    with pytest.raises(UsageError, match=r"the Vault token: it is not set.*VAULT_TOKEN"):
        Keeper(vault(auth={})).ensure(name, Spec())


@pytest.mark.parametrize("variable", ["BAO_TOKEN", "VAULT_TOKEN"])
def test_address_and_token_come_from_the_environment(bao: Any, name: str, variable: str) -> None:
    environ = {variable: bao.token, variable.replace("TOKEN", "ADDR"): bao.address, "HOME": "/nonexistent"}
    store = open_store({"backend": "vault"}, folder=None, passwords=list, environ=environ)
    assert Keeper(store).ensure(name, Spec())[1]


def test_the_token_that_login_left_at_home_is_used(bao: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / ".vault-token").write_text(bao.token + "\n")
    settings = {"backend": "vault", "address": bao.address}
    store = open_store(settings, folder=None, passwords=list, environ={"HOME": str(tmp_path)})
    assert Keeper(store).ensure(name, Spec())[1]


def test_a_wrong_mount_and_a_kv1_mount_are_told_before_anything_is_written(bao: Any, vault: Vault, name: str) -> None:
    with pytest.raises(StoreError, match=r"no mount nowhere|mount nowhere.*secrets enable -path=nowhere") as caught:
        Keeper(vault(mount="nowhere")).ensure(name, Spec())
    assert "bao secrets enable -path=nowhere -version=2 kv" in str(caught.value)
    client = bao.client()
    mount = "old" + secrets.token_hex(3)
    client.sys.enable_secrets_engine("kv", path=mount, options={"version": "1"})
    with pytest.raises(StoreError, match=r"is a KV version 1 mount.*enable-versioning"):
        Keeper(vault(mount=mount)).ensure(name, Spec())
    listed = client.adapter.list(f"/v1/{mount}", raise_exception=False)
    assert listed.status_code == 404, "something was written astray"
    with pytest.raises(StoreError, match="mount cubbyhole is cubbyhole"):
        Keeper(vault(mount="cubbyhole")).ensure(name, Spec())


def test_nothing_is_contacted_until_a_value_is_used(server: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = {"backend": "vault", "address": address, "auth": {"method": "approle", "role_id": "x"}}
        keeper = Keeper(open_store(settings, folder=None, passwords=list, environ={}))
        assert address in keeper.store.where
        with pytest.raises(TimeoutError):
            listening.accept()


def test_an_unreachable_server_is_an_error_in_time(server: Any, vault: Vault, name: str) -> None:
    address = f"http://127.0.0.1:{server.free_port()}"
    begun = time.monotonic()
    with pytest.raises(StoreError, match=r"cannot be reached \(.*refused.*Check the address") as caught:
        Keeper(vault(address=address, timeout=1)).ensure(name, Spec())
    assert time.monotonic() - begun < 4 and address in str(caught.value) and f"secret {name}" in str(caught.value)


def test_a_set_is_read_with_one_request_for_each_secret(bao: Any, vault: Vault, name: str) -> None:
    """Planning a set that exists asks the server once for each path, not again to compare kinds."""
    kept = vault()
    Keeper(kept).ensure(name, Spec())
    asked: list[str] = []

    class Counting(VaultStore):
        def read(self, path: str) -> Any:
            asked.append(path)
            return super().read(path)

    wanted = adapter.Wanted()
    settings = {"secrets": {name: {}}}
    wanted._keeper = Keeper(Counting(kept.session, kept.mount, kept.prefix))
    made = plan(wanted.desired(settings), wanted.reader(settings))
    assert not made.changed and not made.refusals and asked == [name]


def test_a_name_that_does_not_resolve_fails_at_once(vault: Vault, name: str) -> None:
    begun = time.monotonic()
    with pytest.raises(StoreError, match="cannot be reached"):
        Keeper(vault(address="https://vault.invalid:8200", timeout=30)).ensure(name, Spec())
    assert time.monotonic() - begun < 15


def test_sealed_and_stopped_in_the_middle(server: Any, tmp_path: Path) -> None:
    """A server of its own: it is sealed, unsealed, and killed."""
    with server.running(tmp_path) as own:
        settings = {"backend": "vault", "address": own.address, "auth": {"token": own.token}, "timeout": 1}
        store = open_store(settings, folder=None, passwords=list, environ={})
        kept, _made = Keeper(store).ensure("a", Spec())
        client = own.client()
        client.sys.seal()
        with pytest.raises(StoreError, match=r"the server is sealed \(.*bao operator unseal"):
            Keeper(store).ensure("b", Spec())
        client.sys.submit_unseal_key(own.unseal_key)
        deadline = time.monotonic() + 10
        while client.sys.read_health_status(method="GET").get("sealed", True) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert Keeper(store).find("a").fields == kept.fields  # type: ignore[union-attr] # it was made above
        own.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            Keeper(store).ensure("c", Spec())


def test_a_private_ca_is_needed_named_and_enough(server: Any, tmp_path: Path) -> None:
    with server.running(tmp_path, tls=True) as own:
        settings = {"backend": "vault", "address": own.address, "auth": {"token": own.token}, "timeout": 3}
        with pytest.raises(StoreError, match=r"certificate is not trusted.*ca_file"):
            Keeper(open_store(settings, folder=None, passwords=list, environ={})).ensure("a", Spec())
        named = {**settings, "ca_file": Path(own.ca_file).name}
        store = open_store(named, folder=str(tmp_path), passwords=list, environ={})
        assert Keeper(store).ensure("a", Spec())[1]
        by_environment = open_store(settings, folder=None, passwords=list, environ={"VAULT_CACERT": own.ca_file})
        assert not Keeper(by_environment).ensure("a", Spec())[1]


def test_a_ca_file_that_is_not_there_is_named(vault: Vault, name: str) -> None:
    with pytest.raises(UsageError, match=r"ca_file: /no/ca\.pem does not exist"):
        Keeper(vault(ca_file="/no/ca.pem")).ensure(name, Spec())


@pytest.fixture
def approle(bao: Any) -> tuple[str, str, str]:
    """A role: its mount, its id, a secret id."""
    client, mount = bao.client(), "role" + secrets.token_hex(3)
    client.sys.create_or_update_policy(name="approle", policy=ALL)
    client.sys.enable_auth_method("approle", path=mount)
    client.auth.approle.create_or_update_approle("r", token_policies=["approle"], token_ttl="1h", mount_point=mount)
    role_id = client.auth.approle.read_role_id("r", mount_point=mount)["data"]["role_id"]
    secret_id = client.auth.approle.generate_secret_id("r", mount_point=mount)["data"]["secret_id"]
    return mount, role_id, secret_id


def test_approle_logs_in_once_and_again_when_its_token_is_gone(
    bao: Any, vault: Vault, name: str, approle: tuple[str, str, str]
) -> None:
    mount, role_id, secret_id = approle
    store = vault(auth={"method": "approle", "mount": mount, "role_id": role_id, "secret_id": secret_id})
    keeper = Keeper(store)
    for number in range(3):
        keeper.ensure(f"{name}{number}", Spec())
    first = store.session._client
    assert keeper.store.read(f"{name}0") and store.session._client is first, "logged in more than once"
    bao.client().auth.token.revoke(first.token)
    assert store.read(f"{name}0") and store.session._client is not first


def test_approle_from_file_and_environment(
    bao: Any, vault: Vault, name: str, approle: tuple[str, str, str], tmp_path: Path
) -> None:
    mount, role_id, secret_id = approle
    (tmp_path / "id").write_text(secret_id + "\n")
    login = {"method": "approle", "mount": mount, "role_id": role_id, "secret_id_file": str(tmp_path / "id")}
    assert Keeper(vault(auth=login)).ensure(name, Spec())[1]
    environ = {"VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID": secret_id}
    by_environment = vault(auth={"method": "approle", "mount": mount}, environ=environ)
    assert not Keeper(by_environment).ensure(name, Spec())[1]


def test_a_refused_login_names_method_and_mount_and_no_credential(
    vault: Vault, name: str, approle: tuple[str, str, str]
) -> None:
    mount, role_id, _secret_id = approle
    login = {"method": "approle", "mount": mount, "role_id": role_id, "secret_id": "hush-hush"}
    with pytest.raises(StoreError, match=rf"login by approle at auth/{mount} was refused: .*Check the role") as caught:
        Keeper(vault(auth=login)).ensure(name, Spec())
    assert "hush" not in str(caught.value)


def _jwt(key: ec.EllipticCurvePrivateKey, **claims: Any) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "ES256", "typ": "JWT"}).encode()) + "." + part(json.dumps(claims).encode())
    r, s = utils.decode_dss_signature(key.sign(head.encode(), ec.ECDSA(SHA256())))
    return f"{head}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_jwt_login_as_a_pipeline_does(bao: Any, vault: Vault, name: str, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    client, mount = bao.client(), "jwt" + secrets.token_hex(3)
    client.sys.create_or_update_policy(name="jwt", policy=ALL)
    client.sys.enable_auth_method("jwt", path=mount)
    client.auth.jwt.configure(jwt_validation_pubkeys=[public.decode()], path=mount)
    client.auth.jwt.create_role(
        "deploy", role_type="jwt", user_claim="sub", bound_audiences=["socle"], token_policies=["jwt"],
        allowed_redirect_uris=[], path=mount,
    )  # fmt: skip
    token = _jwt(key, sub="project", aud="socle", exp=int(time.time()) + 300, iat=int(time.time()))
    login = {"method": "jwt", "mount": mount, "role": "deploy"}
    assert Keeper(vault(auth=login, environ={"VAULT_ID_TOKEN": token})).ensure(name, Spec())[1]
    (tmp_path / "jwt").write_text(token)
    for more in ({"jwt": token}, {"jwt_file": str(tmp_path / "jwt")}):
        assert not Keeper(vault(auth={**login, **more})).ensure(name, Spec())[1]
    stale = _jwt(key, sub="project", aud="socle", exp=int(time.time()) - 3600, iat=int(time.time()) - 7200)
    with pytest.raises(StoreError, match=r"login by jwt .* was refused") as caught:
        Keeper(vault(auth={**login, "jwt": stale})).ensure(name, Spec())
    assert stale not in str(caught.value)
    with pytest.raises(UsageError, match="environment variable VAULT_ID_TOKEN: it is not set"):
        Keeper(vault(auth=login)).ensure(name, Spec())


class _Kubernetes(BaseHTTPRequestHandler):
    """The one endpoint that Kubernetes auth asks."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = review["spec"]["token"] == self.server.accepted  # type: ignore[attr-defined] # set by the test
        user = {"username": "system:serviceaccount:awx:runner", "uid": "1", "groups": ["system:serviceaccounts"]}
        audiences = review["spec"].get("audiences", [])
        review["status"] = {"authenticated": good, "user": user if good else {}, "audiences": audiences}
        body = json.dumps(review).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def test_kubernetes_login_as_a_pod_does(bao: Any, vault: Vault, name: str, tmp_path: Path) -> None:
    """The server really asks an API server who the token's owner is; that one is ours."""
    key = ec.generate_private_key(ec.SECP256R1())
    claims = {
        "iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:awx:runner", "aud": ["x"],
        "exp": int(time.time()) + 600, "iat": int(time.time()),
        "kubernetes.io": {"namespace": "awx", "serviceaccount": {"name": "runner", "uid": "1"}},
    }  # fmt: skip
    token = _jwt(key, **claims)
    web = ThreadingHTTPServer(("127.0.0.1", 0), _Kubernetes)
    web.accepted = token  # type: ignore[attr-defined] # read by the handler
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        client, mount = bao.client(), "k8s" + secrets.token_hex(3)
        client.sys.create_or_update_policy(name="k8s", policy=ALL)
        client.sys.enable_auth_method("kubernetes", path=mount)
        client.auth.kubernetes.configure(
            kubernetes_host=f"http://127.0.0.1:{web.server_address[1]}", disable_local_ca_jwt=True,
            token_reviewer_jwt=token, mount_point=mount, kubernetes_ca_cert=generate(Spec("ca"), "ca")["certificate"],
        )  # fmt: skip
        client.auth.kubernetes.create_role(
            "runner", bound_service_account_names=["runner"], bound_service_account_namespaces=["awx"],
            policies=["k8s"], mount_point=mount,
        )  # fmt: skip
        (tmp_path / "token").write_text(token)
        login = {"method": "kubernetes", "mount": mount, "role": "runner", "jwt_file": str(tmp_path / "token")}
        assert Keeper(vault(auth=login)).ensure(name, Spec())[1]
        with pytest.raises(StoreError, match="login by kubernetes"):
            Keeper(vault(auth={**login, "role": "other"})).ensure(name, Spec())
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"backend": "valt"}, "no backend 'valt'"),
        ({"backend": "vault", "adress": "x"}, "Did you mean address"),
        ({"backend": "vault", "address": "vault:8200"}, "is no URL"),
        ({"backend": "vault"}, "set VAULT_ADDR"),
        ({"address": "https://x"}, "the backend is file, which has no address"),
        ({"backend": "vault", "file": "x", "address": "https://x"}, "which has no file"),
        ({"backend": "vault", "address": "https://x", "auth": {"rolle": "x"}}, "Did you mean role"),
        ({"timeout": "soon"}, "Write seconds"),
        ({}, "Write the whole path"),
    ],
)
def test_wrong_settings_say_what_would_be_right(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_store(given, folder=None, passwords=list, environ={})


def test_an_unknown_method_names_the_known_ones(vault: Vault, name: str) -> None:
    with pytest.raises(UsageError, match="token, approle, kubernetes, jwt"):
        Keeper(vault(auth="ldap")).ensure(name, Spec())


def test_a_field_is_picked_by_name_or_by_kind(vault: Vault, name: str) -> None:
    keeper = Keeper(vault())
    public = keeper.value(Reference(name, "public_key"), Spec("ed25519"), create=True)
    assert public and public.startswith("ssh-ed25519 ")
    private = keeper.value(Reference(name), None, create=True)
    assert private and "PRIVATE KEY" in private
    with pytest.raises(UsageError, match=r"no field publickey.*Did you mean public_key"):
        keeper.value(Reference(name, "publickey"), None, create=True)


def test_a_missing_secret_with_a_field_nothing_makes_is_not_invented(bao: Any, vault: Vault, name: str) -> None:
    """A typo in a reference to somebody else's credential must not create a secret."""
    with pytest.raises(UsageError, match=r"has no field access_key.*bao kv put -mount=socle") as caught:
        Keeper(vault()).value(Reference(name, "access_key"), None, create=True)
    assert name in str(caught.value) and vault().read(name) is None
