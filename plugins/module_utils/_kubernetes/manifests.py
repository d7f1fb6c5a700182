# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Objects as users give them: out of the task, files, folders or one stream of YAML, each with where it came from."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._objects import AdapterError
from .._values import has_unknown

ENDINGS = (".yaml", ".yml", ".json")
# What a server fills in: found in what was exported from a cluster, and refused or ignored when it is sent.
FILLED_IN = ("managedFields", "creationTimestamp", "generation", "selfLink", "resourceVersion", "uid")
CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
NAMESPACE = ("", "Namespace")
# Kinds of Kubernetes itself that are in no namespace: of others the cluster is asked.
CLUSTER_WIDE = frozenset(
    {
        ("", "Namespace"), ("", "Node"), ("", "PersistentVolume"), ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"), ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "CSIDriver"), ("scheduling.k8s.io", "PriorityClass"), ("networking.k8s.io", "IngressClass"),
        ("apiregistration.k8s.io", "APIService"), ("node.k8s.io", "RuntimeClass"), CRD,
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    }
)  # fmt: skip


class NoManifest(AdapterError):
    """What was given is no set of objects."""


@dataclass(frozen=True)
class Manifest:
    """One object as it shall be."""

    body: Mapping[str, Any]
    origin: str

    @property
    def api_version(self) -> str:
        return str(self.body["apiVersion"])

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.body["metadata"].get("namespace") or "")

    @property
    def key(self) -> str:
        return key_of(self.group, self.kind, self.namespace, self.name)

    @property
    def unknown(self) -> bool:
        """Whether a value of it exists only once an earlier step has run."""
        return has_unknown(self.body)


def key_of(group: str, kind: str, namespace: str, name: str) -> str:
    """How an object is called everywhere: its version says nothing about which one it is."""
    return f"{kind}{'.' + group if group else ''} {namespace + '/' if namespace else ''}{name}"


def gather(parameters: Mapping[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every object that the parameters give, in their order."""
    found: list[tuple[Any, str]] = []
    for number, item in enumerate(parameters.get("objects") or (), 1):
        origin = f"objects[{number}]"
        found += parse(item, origin) if isinstance(item, str) else [(item, origin)]
    for path in parameters.get("files") or ():
        found += _of_path(Path(path).expanduser())
    if parameters.get("stream"):
        found += parse(parameters["stream"], "stream")
    return [whole for item, origin in found for whole in _flat(item, origin)]


def _of_path(path: Path) -> Iterator[tuple[Any, str]]:
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.suffix in ENDINGS and p.is_file())
        if not inside:
            raise NoManifest(f"{path}: no file in it ends with {', '.join(ENDINGS)}", "name another folder")
    else:
        inside = [path]
    for file in inside:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise NoManifest(f"{file}: {said}", "files are read where the module runs") from None
        yield from parse(text, str(file))


def parse(text: str, origin: str) -> Iterator[tuple[Any, str]]:
    """The documents of a stream of YAML or JSON; empty ones do not count."""
    import yaml

    try:
        for number, document in enumerate(yaml.load_all(text, Loader=_loader()), 1):
            if document is not None:
                yield document, f"{origin}, document {number}"
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise NoManifest(f"{origin}{where}: {getattr(error, 'problem', None) or 'it is not YAML'}", "") from None


def _loader() -> Any:
    """YAML as Kubernetes' own tools read it: no dates, no numbers to the base of 60, and `=` is a text."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    dropped = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", "tag:yaml.org,2002:int")

    class Loader(base):  # type: ignore[misc] # a class chosen by what is installed
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rows if tag not in dropped]
        for first, rows in base.yaml_implicit_resolvers.items()
    }
    number = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", number, list("-+0123456789"))
    Loader.add_constructor("tag:yaml.org,2002:int", _integer)
    return Loader


def _integer(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if len(digits) > 1 and digits[0] == "0" and digits[1] not in "box":
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _flat(item: Any, origin: str) -> Iterator[tuple[dict[str, Any], str]]:
    if not isinstance(item, Mapping):
        raise NoManifest(f"{origin}: found {type(item).__name__}, wanted an object with apiVersion, kind and metadata")
    if str(item.get("kind", "")).endswith("List") and isinstance(item.get("items"), list):
        for number, inner in enumerate(item["items"], 1):
            yield from _flat(inner, f"{origin}, item {number}")
        return
    missing = [name for name in ("apiVersion", "kind") if not item.get(name)]
    metadata = item.get("metadata")
    if not isinstance(metadata, Mapping) or not metadata.get("name"):
        missing.append("metadata.name")
    if missing:
        named = f" ({item['kind']})" if item.get("kind") else ""
        raise NoManifest(f"{origin}{named}: it has no {', '.join(missing)}", "an object of a set needs all of them")
    yield dict(item), origin


def manifests(
    parameters: Mapping[str, Any],
    namespaced: Mapping[tuple[str, str], bool],
    found: Iterable[tuple[dict[str, Any], str]],
) -> list[Manifest]:
    """The objects made whole. `namespaced` says of kinds (group, kind) whether they live in namespaces."""
    labels = parameters.get("labels") or {}
    default = str(parameters.get("namespace") or "")
    made = []
    for item, origin in found:
        group = str(item["apiVersion"]).rpartition("/")[0]
        kind = str(item["kind"])
        metadata = {key: value for key, value in item["metadata"].items() if key not in FILLED_IN}
        inside = namespaced.get((group, kind), (group, kind) not in CLUSTER_WIDE)
        if not inside:
            metadata.pop("namespace", None)
        elif not metadata.get("namespace"):
            metadata["namespace"] = default or "default"
        if labels:
            metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        body = {**item, "metadata": metadata}
        if (group, kind) == CRD or body.get("status") in (None, {}):
            body.pop("status", None)
        if (group, kind) == ("", "Secret"):
            body = _secret(body)
        made.append(Manifest(body, origin))
    return made


def _secret(body: dict[str, Any]) -> dict[str, Any]:
    """`stringData` is written and never read, and base64 may be folded: both become what the server keeps."""
    data = {
        key: "".join(value.split()) if isinstance(value, str) else value
        for key, value in (body.get("data") or {}).items()
    }
    for key, value in (body.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(value.encode()).decode() if isinstance(value, str) else value
    return {**body, "data": data} if data else body


def of_crd(body: Mapping[str, Any]) -> tuple[str, str, bool] | None:
    """The group and kind that a CustomResourceDefinition brings, and whether they live in namespaces."""
    spec = body.get("spec")
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping):
        return None
    return str(spec.get("group")), str(names.get("kind")), spec.get("scope") == "Namespaced"


def needs(made: Iterable[Manifest]) -> dict[str, frozenset[str]]:
    """For each object, what of the set must be there first: its namespace, and what brings its kind."""
    made = list(made)
    namespaces = {m.name: m.key for m in made if (m.group, m.kind) == NAMESPACE}
    brought: dict[tuple[str, str], str] = {}
    for m in made:
        told = of_crd(m.body) if (m.group, m.kind) == CRD else None
        if told:
            brought[told[:2]] = m.key
    present = {m.key for m in made}
    result = {}
    for m in made:
        wanted = {namespaces.get(m.namespace, ""), brought.get((m.group, m.kind), "")} if m.namespace else set()
        wanted.add(brought.get((m.group, m.kind), ""))
        if (m.group, m.kind) == ("", "Pod"):
            wanted |= _pods(m) & present
        result[m.key] = frozenset(wanted - {"", m.key})
    return result


def _pods(pod: Manifest) -> set[str]:
    """A pod of its own is refused at once where these are missing; controllers try again."""
    spec = pod.body.get("spec") or {}
    account = key_of("", "ServiceAccount", pod.namespace, str(spec.get("serviceAccountName") or "default"))
    return {account, key_of("scheduling.k8s.io", "PriorityClass", "", str(spec.get("priorityClassName") or ""))}
