# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the mappings of clouds share: what runs on a cloud, who is warned, names, and units."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from .base import is_template, mebibytes
from .platform import Platform

Variables = dict[str, Any]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(duration: str) -> int:
    """Of a duration such as 15m."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def minutes(duration: str) -> int:
    """Of a duration, rounded up."""
    return math.ceil(seconds(duration) / 60)


def days(duration: str) -> int:
    """Of a duration, rounded up."""
    return math.ceil(seconds(duration) / 86400)


def gibibytes(size: str) -> int:
    """Of a size such as 20 GiB, rounded up."""
    return math.ceil(mebibytes(size) / 1024)


def known(values: Variables) -> Variables:
    """Without what nobody said: the role's own default holds."""
    return {key: value for key, value in values.items() if value is not None}


def plain(value: Any) -> str | None:
    """Text that is known now: no reference, nothing encrypted, no template."""
    return value if isinstance(value, str) and not is_template(value) else None


def admins(platform: Platform) -> list[str]:
    """Addresses of those who run the platform."""
    people = platform.manifest.people.values()
    return sorted(email for person in people if person.admin and (email := plain(person.email)))


def labels(platform: Platform, cloud: str) -> dict[str, str]:
    """Of everything in a cloud."""
    manifest = platform.manifest
    return {**manifest.platform.labels, "cloud": cloud, **manifest.clouds[cloud].labels}


def resource_name(platform: Platform, cloud: str, longest: int = 32) -> str:
    """A name that no other cloud of the platform has, whatever clouds come and go."""
    name = f"{platform.manifest.platform.name}-{cloud}"
    if len(name) <= longest:
        return name
    return f"{name[: longest - 5].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def environments(platform: Platform, cloud: str) -> Variables:
    """Environments on a cloud, by name."""
    manifest = platform.manifest
    places = [*manifest.clouds]
    places += [place for place in ("kubernetes", "swarm") if getattr(manifest, place) is not None]
    return {
        name: environment
        for name, environment in manifest.delivery.environments.items()
        if environment.on == cloud or (environment.on is None and len(places) == 1)
    }


def apps(platform: Platform, cloud: str) -> dict[str, tuple[Any, str, Any]]:
    """What runs on a cloud: each app once for every environment there, named with it where there are several."""
    here = environments(platform, cloud)
    found = {}
    for name, app in platform.manifest.apps.items():
        for env, environment in here.items():
            if not app.environments or env in app.environments:
                found[name if len(here) == 1 else f"{name}-{env}"] = (app, env, environment)
    return found
