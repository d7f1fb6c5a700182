# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Modules that only read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._module import given
from .._objects import EngineError
from .._progress import NullProgress, Progress
from .options import connection_rules, connection_spec
from .session import Session, missing_libraries

Read = Callable[[Session, dict[str, Any], NullProgress], dict[str, Any]]


def run_info(spec: Mapping[str, Any], read: Read) -> None:
    """The whole of an _info module: its result is what `read` returns."""
    options = {**connection_spec(), **spec}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True, **connection_rules())
    for library, trace in missing_libraries():
        if trace:
            module.fail_json(msg=missing_required_lib(library), exception=trace)
    parameters = given(module.params, options)
    progress = Progress.from_environment(module._name)
    try:
        result = read(Session().of(parameters), parameters, progress)
    except EngineError as error:
        module.fail_json(msg=str(error))
    finally:
        progress.close()
    module.exit_json(changed=False, **result)
