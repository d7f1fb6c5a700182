# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider made of its schema alone: what a cloud would answer is invented, and kept in `world`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from tfprovider.protocol import UNKNOWN, Steps, error, messages, pack, service, unpack, wire_path
from tfprovider.rules import mistakes
from tfprovider.schema import Block, blank, rebuilt, wire_function, wire_schema
from tfprovider.states import invented, planned, replaced, seed_of, settled

KINDS = ("resource_schemas", "data_source_schemas", "ephemeral_resource_schemas")
State = dict[str, Any]
Fault = Callable[[str, str, State], "str | tuple[str, str] | None"]
Simulate = Callable[[str, Steps, State], Any]
Check = Callable[[str, State], Iterable[tuple[Steps, str]]]


def _nothing(*_unused: Any) -> None:
    return None


def _no_findings(*_unused: Any) -> tuple[()]:
    return ()


class SchemaProvider(service.ProviderServicer):
    """One provider. Hooks, to be set before or between runs:

    `simulate(type, path, state)` says what the cloud would answer for a value (None: one is invented);
    `check(type, config)` yields (path, sentence) for a configuration to be refused;
    `fault(action, type, state)` gives an error's sentence, or (summary, detail), and may block: action is one of
    configure, read, create, update, delete, data.

    `world` holds what is there, by (type, id); `calls` every configure, create, update and delete, in order; `stopped`
    is set when the binary was asked to stop.
    """

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.resources, self.data, self.ephemeral = (
            {name: schema["block"] for name, schema in schemas.get(kind, {}).items()} for kind in KINDS
        )
        self.simulate: Simulate = _nothing
        self.check: Check = _no_findings
        self.fault: Fault = _nothing
        self.world: dict[tuple[str, str], State] = {}
        self.calls: list[tuple[str, str, State]] = []
        self.stopped = threading.Event()
        self._gone: set[tuple[str, str]] = set()
        self._lock = threading.RLock()

    # -- what tests do to the cloud behind Terraform's back

    def reset(self) -> None:
        """An empty cloud without faults."""
        with self._lock:
            self.world.clear()
            self.calls.clear()
            self._gone.clear()
            self.stopped.clear()
            self.reset_faults()

    def reset_faults(self) -> None:
        """The cloud as it is, behaving well again."""
        self.simulate, self.check, self.fault = _nothing, _no_findings, _nothing

    def find(self, type_name: str, **fields: Any) -> State:
        """The one object of this type with these values."""
        with self._lock:
            found = [
                state
                for (kind, _id), state in self.world.items()
                if kind == type_name and all(state.get(name) == value for name, value in fields.items())
            ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} objects of {type_name} with {fields}, not one")
        return found[0]

    def change(self, type_name: str, identity: str, **fields: Any) -> None:
        """Somebody changes an object by hand: Terraform will see drift."""
        with self._lock:
            self.world[type_name, identity] = {**self.world[type_name, identity], **fields}

    def remove(self, type_name: str, identity: str) -> None:
        """Somebody deletes an object by hand."""
        with self._lock:
            del self.world[type_name, identity]
            self._gone.add((type_name, identity))

    def written(self) -> list[tuple[str, str]]:
        """Each create, update and delete so far: (action, type)."""
        with self._lock:
            return [(action, kind) for action, kind, _state in self.calls if action != "configure"]

    # -- schema and validation

    @cached_property
    def _schema_answer(self) -> Any:
        return messages.ProviderSchema(
            provider=wire_schema(self.schemas["provider"]),
            server_capabilities=messages.Capabilities(get_provider_schema_optional=True),
            functions={name: wire_function(found) for name, found in self.schemas.get("functions", {}).items()},
            **{kind: {n: wire_schema(s) for n, s in self.schemas.get(kind, {}).items()} for kind in KINDS},
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        with self._lock:
            return self._schema_answer

    def _findings(self, type_name: str, block: Block, config: State) -> list[Any]:
        return [error(text, at=at) for at, text in (*mistakes(block, config), *self.check(type_name, config))]

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        block = self.schemas["provider"]["block"]
        return messages.ProviderValidated(diagnostics=self._findings("provider", block, unpack(request.config)))

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        block = self.resources[request.type_name]
        return messages.Validated(diagnostics=self._findings(request.type_name, block, unpack(request.config)))

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        name = f"data.{request.type_name}"
        block = self.data[request.type_name]
        return messages.Validated(diagnostics=self._findings(name, block, unpack(request.config)))

    def ValidateEphemeralResourceConfig(self, request: Any, context: Any) -> Any:
        name = f"ephemeral.{request.type_name}"
        block = self.ephemeral[request.type_name]
        return messages.Validated(diagnostics=self._findings(name, block, unpack(request.config)))

    # -- faults

    def _faults(self, action: str, type_name: str, state: State) -> list[Any]:
        told = self.fault(action, type_name, state)
        if told is None:
            return []
        return [error(told) if isinstance(told, str) else error(*told)]

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        config = unpack(request.config)
        with self._lock:
            self.calls.append(("configure", "provider", config))
        return messages.Configured(diagnostics=self._faults("configure", "provider", config))

    # -- resources

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        def dynamic(spec: dict[str, Any], value: Any, _at: Steps) -> Any:
            if spec.get("type") == "dynamic" and value:
                return [json.dumps(value["type"]).encode(), value["value"]]
            return value

        raw = json.loads(request.raw_state.json)
        state = rebuilt(self.resources[request.type_name], raw, dynamic, lambda _nested, value, _at: value)
        return messages.Upgraded(upgraded_state=pack(state))

    def ReadResource(self, request: Any, context: Any) -> Any:
        known = unpack(request.current_state)
        if refused := self._faults("read", request.type_name, known):
            return messages.WasRead(new_state=request.current_state, diagnostics=refused)
        key = request.type_name, known.get("id")
        with self._lock:
            # A server that was started after the object was made has only the state's word for it.
            found = None if key in self._gone else self.world.get(key, known)
        return messages.WasRead(new_state=pack(found))

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        block = self.resources[request.type_name]
        prior, proposed = unpack(request.prior_state), unpack(request.proposed_new_state)
        if proposed is None:
            return messages.Planned(planned_state=request.proposed_new_state)
        after = planned(block, prior, proposed)
        paths = list(dict.fromkeys(replaced(block, prior, after))) if prior else []
        # Providers on the older SDK say legacy_type_system, as most do: what they plan may differ from the
        # configuration in defaults and computed blocks.
        return messages.Planned(
            planned_state=pack(after), requires_replace=[wire_path(at) for at in paths], legacy_type_system=True
        )

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        name = request.type_name
        prior, after = unpack(request.prior_state), unpack(request.planned_state)
        action = "delete" if after is None else "update" if prior else "create"
        if refused := self._faults(action, name, after or prior):
            return messages.Applied(new_state=request.prior_state, diagnostics=refused, legacy_type_system=True)
        with self._lock:
            if after is None:
                self.world.pop((name, prior.get("id")), None)
            else:
                after = self._settle(name, self.resources[name], after, fresh=prior is None)
                self.world[name, after.get("id")] = after
                self._gone.discard((name, after.get("id")))
            self.calls.append((action, name, after or prior))
        return messages.Applied(new_state=pack(after), legacy_type_system=True)

    def _settle(self, name: str, block: Block, state: State, fresh: bool = False) -> State:
        def answer(at: Steps, known: State) -> Any:
            return self.simulate(name, at, known)

        seed = seed_of(name, state)
        made = settled(block, state, seed, answer)
        twin = 0
        while fresh and state.get("id") == UNKNOWN and (name, made["id"]) in self.world:
            twin += 1
            made = settled(block, state, f"{seed}-{twin}", answer)
        return made

    def ImportResourceState(self, request: Any, context: Any) -> Any:
        with self._lock:
            found = self.world.get((request.type_name, request.id))
        state = found or {**blank(self.resources[request.type_name]), "id": request.id}
        return messages.Imported(
            imported_resources=[messages.ImportedResource(type_name=request.type_name, state=pack(state))]
        )

    # -- data sources, ephemeral resources, functions

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        config = unpack(request.config)
        if refused := self._faults("data", request.type_name, config):
            return messages.DataRead(diagnostics=refused)
        state = self._settle(f"data.{request.type_name}", self.data[request.type_name], config)
        return messages.DataRead(state=pack(state))

    def OpenEphemeralResource(self, request: Any, context: Any) -> Any:
        name = f"ephemeral.{request.type_name}"
        state = self._settle(name, self.ephemeral[request.type_name], unpack(request.config))
        return messages.Opened(result=pack(state))

    def CloseEphemeralResource(self, request: Any, context: Any) -> Any:
        return messages.Closed()

    def CallFunction(self, request: Any, context: Any) -> Any:
        arguments = [unpack(argument) for argument in request.arguments]
        returned = self.schemas["functions"][request.name]["return_type"]
        return messages.Called(result=pack(invented(returned, f"{request.name}.{arguments}.{request.name}")))

    def StopProvider(self, request: Any, context: Any) -> Any:
        self.stopped.set()
        return messages.Stopped()
