# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Makes an Ansible module of what is told about a pool."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from .._module import given
from .._objects import EngineError
from .._progress import Progress
from .._wait import WaitFailed
from .cli import Cli
from .info import SPEC, info


def run_info(name: str) -> None:
    """The whole of the module's main()."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    progress = Progress.from_environment(name)
    try:
        found = info(Cli(), given(module.params, SPEC), progress)
    except (EngineError, WaitFailed) as error:
        module.fail_json(msg=str(error))
    finally:
        progress.close()
    module.exit_json(changed=False, **found)
