# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The one rule: give the secret at this path, and if there is none make it and keep it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._values import KNOWN_AFTER_APPLY
from . import kinds, store
from .errors import MissingSecret, UsageError
from .kinds import Spec
from .reference import Reference
from .store import Store, Stored


def placeholder(reference: str) -> str:
    """Stands in check mode for a value that does not exist yet; never a plausible secret."""
    return f"<secret {reference} {KNOWN_AFTER_APPLY}>"


@dataclass
class Keeper:
    """Reads each path once in its life. `store` is opened by the first use, not before."""

    store: Store
    _seen: dict[str, Stored] = field(default_factory=dict, repr=False)

    def find(self, path: str) -> Stored | None:
        """What is kept, or None."""
        if path not in self._seen:
            found = self.store.read(path)
            if found is None:
                return None
            self._seen[path] = found
        return self._seen[path]

    def ensure(self, path: str, spec: Spec) -> tuple[Stored, bool]:
        """The secret, and whether this call made it."""
        found = self.find(path)
        if found is not None:
            kinds.check_kind(path, self.store.where, spec, found.kind, list(found.fields))
            return found, False
        made = store.new(kinds.generate(spec, path), spec.kind)
        kept = self.store.create(path, made)
        kinds.check_kind(path, self.store.where, spec, kept.kind, list(kept.fields))
        self._seen[path] = kept
        return kept, dict(kept.fields) == dict(made.fields)

    def rotate(self, path: str, spec: Spec, expect: Stored | None = None) -> Stored:
        """A new version of a secret that exists; `expect` is the one it must still be."""
        before = expect if expect is not None else self.store.read(path)
        if before is None:
            raise MissingSecret(
                f"secret {path}", "there is none to rotate", "Make it first, without rotate.", self.store.where
            )
        kinds.check_kind(path, self.store.where, spec, before.kind, list(before.fields))
        made = kinds.generate(spec, path)
        # Fields that a human added beside the kind's own stay.
        kept = self.store.rotate(path, before, before.next({**before.fields, **made}, spec.kind))
        self._seen[path] = kept
        return kept

    def value(self, reference: Reference, spec: Spec | None, create: bool) -> str | None:
        """One field's value; None when there is no secret and it is not to be made. `spec` None: whatever is there."""
        path, where = reference.path, self.store.where
        found = self.find(path)
        if found is None:
            wanted = spec or Spec()
            self.check_field(reference, wanted)
            if not create:
                return None
            found, _made = self.ensure(path, wanted)
        elif spec is not None and (reference.field is None or found.kind is not None):
            kinds.check_kind(path, where, spec, found.kind, list(found.fields))
        # One that a human stored is read as what would have been made.
        default = kinds.KINDS["password"].default
        kind = found.kind or (spec.kind if spec else "password" if default in found.fields else None)
        return kinds.pick(path, where, reference.field, kind, found.fields)

    def check_field(self, reference: Reference, spec: Spec) -> None:
        """A field that this kind never has means a wrong name, or a secret that only a human can store."""
        made = kinds.KINDS[spec.kind].fields
        if reference.field is not None and reference.field not in made:
            raise UsageError(
                f"secret {reference}",
                f"there is none, and kind {spec.kind}, which would be made, has no field {reference.field} "
                f"(only {', '.join(made)})",
                f"Store it by hand, or ask for another kind or field. {how_to_store(self.store, reference)}",
                self.store.where,
            )


def how_to_store(store: Store, reference: Reference) -> str:
    """The command by which a human puts a secret where it is looked for."""
    command = getattr(store, "command_to_store", None)
    return f"To store it: {command(reference)}" if command else ""
