# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve providers to terraform and tofu: no registry, no network, no account."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tfprovider.protocol import service
from tfprovider.server import SchemaProvider

ROOT = Path(__file__).resolve().parents[3]
REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
FILES = ("google.json.gz", "aws.json.gz", "scaleway.json.gz", "hashicorp.json.gz")
VERSIONS = {
    "hashicorp/google": "8.7.0",
    "hashicorp/google-beta": "8.7.0",
    "hashicorp/aws": "6.69.1",
    "scaleway/scaleway": "2.79.0",
    "hashicorp/random": "3.7.2",
    "hashicorp/tls": "4.1.0",
    "hashicorp/helm": "3.0.2",
    "hashicorp/kubernetes": "2.38.0",
    "hashicorp/null": "3.3.2",
    "hashicorp/time": "0.14.2",
    "hashicorp/local": "2.9.1",
    "hashicorp/http": "3.6.2",
}
"""Which version each provider's schema is of: what a layer's constraint must admit."""


def schemas_folder() -> Path | None:
    """Where the schemas lie: SOCLE_TERRAFORM_SCHEMAS, or ../shared/terraform beside the checkout."""
    told = os.environ.get("SOCLE_TERRAFORM_SCHEMAS")
    folder = Path(told) if told else ROOT.parent / "shared" / "terraform"
    return folder if any((folder / name).is_file() for name in FILES) else None


def read_schemas(*files: Path) -> dict[str, Any]:
    """Address to schemas, of files as `terraform providers schema -json` prints them, gzipped or not."""
    found: dict[str, Any] = {}
    for file in files:
        raw = file.read_bytes()
        text = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
        found.update(json.loads(text)["provider_schemas"])
    return found


def load() -> dict[str, Any]:
    """The schemas of every provider there is data of."""
    folder = schemas_folder()
    if folder is None:
        raise FileNotFoundError(
            "no provider schemas: set SOCLE_TERRAFORM_SCHEMAS to a folder with google.json.gz, aws.json.gz ..."
        )
    return read_schemas(*(folder / name for name in FILES if (folder / name).is_file()))


@dataclass(frozen=True)
class Attached:
    """Providers served, by short name (`google`), and the environment that makes terraform and tofu use them."""

    env: dict[str, str]
    providers: dict[str, SchemaProvider]

    def __getitem__(self, name: str) -> SchemaProvider:
        return self.providers[name]

    def reset(self) -> None:
        """Every cloud empty and without faults."""
        for provider in self.providers.values():
            provider.reset()


@contextlib.contextmanager
def attached(*names: str, schemas: dict[str, Any] | None = None) -> Iterator[Attached]:
    """Serve the providers named (`google`, `random`, ...), or all."""
    schemas = load() if schemas is None else schemas
    by_name = {address.rsplit("/", maxsplit=1)[-1]: address for address in schemas}
    if missing := set(names) - set(by_name):
        raise LookupError(f"no schema of {', '.join(sorted(missing))}; there are {', '.join(sorted(by_name))}")
    providers: dict[str, SchemaProvider] = {}
    reattach: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="tfp") as folder, contextlib.ExitStack() as stack:
        for number, name in enumerate(names or by_name):
            providers[name] = SchemaProvider(schemas[by_name[name]])
            socket = f"{folder}/{number}"
            stack.enter_context(_served(providers[name], socket))
            place = {
                "Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True,
                "Addr": {"Network": "unix", "String": socket},
            }  # fmt: skip
            own = "/".join(by_name[name].split("/")[-2:])
            # OpenTofu's addresses differ from Terraform's in the registry's host alone.
            reattach.update({f"{registry}/{own}": place for registry in REGISTRIES})
        yield Attached(
            {
                "TF_REATTACH_PROVIDERS": json.dumps(reattach),
                "CHECKPOINT_DISABLE": "1",
                "TF_CLI_CONFIG_FILE": os.devnull,
                "TF_IN_AUTOMATION": "1",
            },
            providers,
        )


@contextlib.contextmanager
def _served(provider: SchemaProvider, socket: str) -> Iterator[None]:
    pool = futures.ThreadPoolExecutor(16)
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(pool, options=unlimited)
    service.add_ProviderServicer_to_server(provider, server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()
        pool.shutdown(wait=False, cancel_futures=True)
