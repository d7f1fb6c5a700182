# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Where states are kept: the backend block of each layer, and the environment that holds its credentials."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import open_url

from .._objects import DesiredError
from .workspace import write

_NEEDED = {"gcs": ("bucket",), "s3": ("bucket", "region"), "scaleway": ("bucket", "region"), "http": ("address",)}
_PROFILE = "socle-state"


@dataclass(frozen=True)
class State:
    """One stack's place for states."""

    backend: str
    stack: str
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        return str(self.options.get("bucket", "")) if self.backend in ("gcs", "s3", "scaleway") else ""

    @property
    def endpoint(self) -> str:
        told = self.options.get("endpoint")
        if told:
            return str(told)
        return f"https://s3.{self.options['region']}.scw.cloud" if self.backend == "scaleway" else ""

    def credentials(self) -> tuple[str, str] | None:
        """Keys that are only for the state: the layers' own may be another account's."""
        found = [self.options[name].reveal() for name in ("access_key", "secret_key") if name in self.options]
        return (str(found[0]), str(found[1])) if len(found) == 2 else None

    def environment(self) -> dict[str, str]:
        """What a backend reads from its environment instead of from a file."""
        if self.backend != "http":
            return {}
        made = {}
        if "username" in self.options:
            made["TF_HTTP_USERNAME"] = str(self.options["username"])
        if "password" in self.options:
            made["TF_HTTP_PASSWORD"] = str(self.options["password"].reveal())
        return made

    def holder(self, layer: str) -> dict[str, str]:
        """Who holds a layer's lock. Only the http backend has to be asked: its server tells those who try to lock."""
        if self.backend != "http":
            return {}
        lock = self.block(layer)["http"]["lock_address"]
        mine = json.dumps({"ID": str(uuid.uuid4()), "Operation": "", "Info": "", "Who": "", "Version": "", "Path": ""})
        try:
            self._ask("POST", lock, mine)
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError):
                told = json.loads(error.read())
                return {str(k): str(v) for k, v in told.items()} if isinstance(told, dict) else {}
        except OSError:
            return {}
        else:
            # It was released in between.
            with contextlib.suppress(OSError):
                self._ask("DELETE", lock, mine)
        return {}

    def _ask(self, method: str, address: str, body: str) -> None:
        env = self.environment()
        open_url(
            address,
            data=body,
            headers={"Content-Type": "application/json"},
            method=method,
            timeout=30,
            url_username=env.get("TF_HTTP_USERNAME"),
            url_password=env.get("TF_HTTP_PASSWORD"),
            force_basic_auth=True,
        ).close()

    def block(self, layer: str) -> dict[str, Any]:
        """The backend block of a layer. Nothing secret is in it: init copies it to a file of its own."""
        name = "/".join(part for part in (str(self.options.get("prefix", "")).strip("/"), self.stack, layer) if part)
        if self.backend == "local":
            return {"local": {"path": str(self._local() / f"{layer}.tfstate")}}
        if self.backend == "gcs":
            made = {"bucket": self.bucket, "prefix": name}
            if self.endpoint:
                made["storage_custom_endpoint"] = self.endpoint
            if "kms_key" in self.options:
                made["kms_encryption_key"] = str(self.options["kms_key"])
            return {"gcs": made}
        if self.backend == "http":
            address = f"{str(self.options['address']).rstrip('/')}/{name.replace('/', '-')}"
            lock = f"{address}/lock"
            return {
                "http": {
                    "address": address,
                    "lock_address": lock,
                    "unlock_address": lock,
                    "lock_method": "POST",
                    "unlock_method": "DELETE",
                }
            }
        return {"s3": self._s3(f"{name}.tfstate")}

    def _local(self) -> Path:
        told = self.options.get("path")
        return Path(told) / self.stack if told else self.folder / "states"

    def _s3(self, key: str) -> dict[str, Any]:
        made: dict[str, Any] = {
            "bucket": self.bucket,
            "key": key,
            "region": self.options["region"],
            "use_lockfile": True,
        }
        # Scaleway encrypts with a key of its Key Manager alone, as the bucket says.
        if self.backend == "s3":
            made["encrypt"] = True
            if "kms_key" in self.options:
                made["kms_key_id"] = self.options["kms_key"]
        if self.endpoint:
            made.update(
                endpoints={"s3": self.endpoint},
                use_path_style=self.backend != "scaleway",
                skip_credentials_validation=True,
                skip_region_validation=True,
                skip_requesting_account_id=True,
                skip_metadata_api_check=True,
                skip_s3_checksum=True,
            )
        keys = self.credentials()
        if keys:
            file = self.folder / "state-credentials"
            write(file, f"[{_PROFILE}]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n")
            made.update(profile=_PROFILE, shared_credentials_files=[str(file)])
        return made


def state_of(parameters: Mapping[str, Any], folder: Path) -> State:
    """The place that a task's options describe, or what is missing in them."""
    options = parameters["state"]
    made = State(options["backend"], parameters["name"], folder, options)
    problems = list(_missing(made))
    if problems:
        raise DesiredError(problems)
    return made


def _missing(state: State) -> Iterator[str]:
    for name in _NEEDED.get(state.backend, ()):
        if not state.options.get(name):
            yield f"state: backend {state.backend} needs {name}"
    if len({name for name in ("access_key", "secret_key") if name in state.options}) == 1:
        yield "state: access_key and secret_key belong together; give both or none"
