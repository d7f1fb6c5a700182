# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Schema: the platform itself, its secrets, its people, and where Terraform keeps its state."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import (
    Clock,
    Domain,
    Duration,
    Email,
    Key,
    Label,
    Plain,
    Secret,
    Section,
    Text,
    Url,
    matching,
)
from .pydantic_guard import Field

SecretPath = Annotated[
    str, matching(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*", "a path such as gitlab/root_password")
]
Bucket = Annotated[
    str,
    matching(
        r"(?!xn--|sthree-|goog)(?!\d+\.\d+\.\d+\.\d+\Z)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]",
        "a bucket's name: 3 to 63 lower-case letters, digits, '-' and single '.', ends with letter or digit",
    ),
]


class PlatformSection(Section):
    """What the platform is called. Its name is part of the names of many things: keep it short."""

    name: Label = Field(
        max_length=20,
        description="A short name; part of the names of machines, clusters and projects.",
        examples=["cater"],
    )
    domain: Domain = Field(
        description="The domain under which everything of the platform is found.", examples=["cater.example.org"]
    )
    description: Plain | None = Field(default=None, description="One sentence for whoever reads the manifest.")
    timezone: Plain = Field(
        default="Etc/UTC", description="The time zone of machines and schedules.", examples=["Europe/Paris"]
    )
    maintenance: Clock = Field(
        default="03:30", description="When machines may install updates and restart services, in the time zone above."
    )
    labels: dict[Key, Plain] = Field(default={}, description="Labels put on everything that can carry them.")


class SecretsAuth(Section):
    """How to log in to Vault or OpenBao. Without it the caller's own token is used."""

    method: Literal["token", "approle", "kubernetes", "jwt"] = Field(default="token", description="The auth method.")
    mount: Plain | None = Field(default=None, description="Where the method is mounted, when not under its own name.")
    role: Text | None = Field(default=None, description="The role of the kubernetes and jwt methods.")
    role_id: Text | None = Field(default=None, description="The role id of AppRole.")
    secret_id: Text | None = Secret("The secret id of AppRole.", default=None)
    secret_id_file: Text | None = Field(default=None, description="A file that holds the secret id.")
    token: Text | None = Secret("A token; better left to the caller's environment.", default=None)
    token_file: Text | None = Field(default=None, description="A file that holds the token.")
    jwt: Text | None = Secret("The JSON Web Token of the jwt method, such as a CI job's.", default=None)
    jwt_file: Text | None = Field(
        default=None, description="A file that holds the token of the kubernetes or jwt method."
    )
    jwt_env: Plain | None = Field(default=None, description="The environment variable that holds it (jwt).")


class WantedSecret(Section):
    """A secret that is made when it is missing, and never again."""

    kind: Literal["password", "token", "hex", "key32", "ed25519", "ca", "uuid"] = Field(
        default="password", description="What to make."
    )
    length: Annotated[int, Field(ge=8, le=4096)] | None = Field(
        default=None, description="Characters of a password, token or hex string."
    )
    classes: list[Literal["lower", "upper", "digits", "symbols"]] = Field(
        default=[], description="What a password has at least one of; letters and digits when not said."
    )
    symbols: Plain | None = Field(default=None, description="Which symbols a password may have.")
    name: Plain | None = Field(default=None, description="The common name of a CA, or the comment of a key.")
    days: Annotated[int, Field(ge=1, le=36500)] | None = Field(default=None, description="How long a CA is valid.")


class SecretsSection(Section):
    """Where secrets are kept. They are made once, there, and never written into the manifest."""

    backend: Literal["vault", "file"] = Field(
        default="file",
        description="`vault` for Vault or OpenBao; `file` for a file encrypted by ansible-vault beside the manifest.",
    )
    address: Url | None = Field(
        default=None, description="The server's URL (vault).", examples=["https://vault.example.org:8200"]
    )
    mount: Plain = Field(default="socle", description="The KV 2 secrets engine (vault).")
    prefix: Plain | None = Field(
        default=None, description="A folder in it; the platform's name when several platforms share a mount."
    )
    namespace: Text | None = Field(default=None, description="The namespace (vault).")
    ca_file: Text | None = Field(default=None, description="The CA that signed the server's certificate (vault).")
    auth: SecretsAuth | None = Field(default=None, description="How to log in (vault).")
    file: Text | None = Field(default=None, description="The file, when it is not the one beside the manifest (file).")
    vault_encrypt_identity: Plain | None = Field(
        default=None, description="Which of several vault passwords encrypts the file (file)."
    )
    timeout: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        default=None, description="Seconds to wait for the server, or for the file's lock."
    )
    generate: dict[SecretPath, WantedSecret] = Field(
        default={},
        description="Secrets of your own to make when missing.",
        examples=[{"shop/session_key": {"kind": "key32"}}],
    )


class Person(Section):
    """Somebody with access."""

    name: Plain | None = Field(default=None, description="The full name.")
    email: Email | None = Field(default=None, description="Where messages go.")
    ssh_keys: list[Plain] = Field(default=[], description="Public SSH keys.")
    teams: list[Key] = Field(default=[], description="Teams that the person belongs to.")
    admin: bool = Field(default=False, description="Whether the person may become root on the machines.")


class Team(Section):
    """People with the same rights."""

    role: Literal["viewer", "developer", "maintainer", "owner"] = Field(
        default="developer", description="What the team may do in GitLab and Argo CD."
    )
    people: list[Key] = Field(default=[], description="Its people.")


class StateSection(Section):
    """Where Terraform keeps its state."""

    kind: Literal["gcs", "s3", "scaleway", "http", "local"] = Field(default="local", description="The backend.")
    bucket: Bucket | None = Field(default=None, description="The bucket (gcs, s3, scaleway).")
    prefix: Plain | None = Field(default=None, description="A folder in it.")
    region: Plain | None = Field(default=None, description="The bucket's region.")
    address: Url | None = Field(default=None, description="The address (http), such as GitLab's.")
    username: Text | None = Field(default=None, description="The user (http).")
    password: Text | None = Secret("The password (http).", default=None)
    create: bool = Field(default=True, description="Make the bucket first: versioned, encrypted, private.")


class TerraformSection(Section):
    """How the clouds' layers are run."""

    binary: Literal["tofu", "terraform"] | None = Field(
        default=None, description="Which program; whichever is there when not said."
    )
    terragrunt: bool = Field(default=False, description="Also write the layout that Terragrunt users know.")
    state: StateSection = Field(default_factory=StateSection, description="Where the state of all clouds is kept.")


class BackupsSection(Section):
    """Where backups go."""

    to: Literal["s3", "gcs", "nfs", "path"] = Field(description="The kind of target.")
    bucket: Bucket | None = Field(default=None, description="The bucket (s3, gcs).")
    endpoint: Url | None = Field(default=None, description="The S3 endpoint, when not Amazon's.")
    region: Plain | None = Field(default=None, description="The bucket's region.")
    path: Plain | None = Field(default=None, description="The folder, or server:/export (nfs).")
    access_key: Text | None = Secret("The access key.", default=None)
    secret_key: Text | None = Secret("The secret key.", default=None)
    every: Duration = Field(default="24h", description="How often.")
    keep: Duration = Field(default="30d", description="For how long.")


class MirrorSection(Section):
    """Where artefacts come from when machines cannot reach the Internet."""

    registry: Plain | None = Field(default=None, description="The registry that has every image, as host or host:port.")
    packages: Url | None = Field(default=None, description="The package repository.")
    files: Url | None = Field(default=None, description="Where released binaries lie.")
    charts: Text | None = Field(default=None, description="The chart repository or OCI registry.")
    ca_file: Text | None = Field(default=None, description="The CA that signed the mirror's certificates.")
    username: Text | None = Field(default=None, description="The user, when the mirror asks for one.")
    password: Text | None = Secret("The password of that user.", default=None)
