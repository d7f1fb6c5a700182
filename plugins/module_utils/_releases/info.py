# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Modules that only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._module import given
from .._objects import EngineError
from .adapter import Ports, told


def run_info(spec: Mapping[str, Any], make: Ports, requires: Sequence[tuple[str, str | None]]) -> None:
    """The whole of an _info module."""
    module = AnsibleModule(argument_spec=dict(spec), supports_check_mode=True)
    for library, trace in requires:
        if trace:
            module.fail_json(msg=missing_required_lib(library), exception=trace)
    parameters = given(module.params, spec)
    try:
        found = [told(make(parameters, {"name": name}).read()) for name in parameters["names"]]
    except EngineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, releases=found)
