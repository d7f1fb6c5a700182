# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module for the tests: it reports events, and lasts as long as it is told."""

from __future__ import annotations

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._progress import Progress


def main() -> None:
    """Report `events` events over `seconds`, then do as told."""
    module = AnsibleModule(
        argument_spec={
            "events": {"type": "int", "default": 3},
            "seconds": {"type": "float", "default": 0.0},
            "prefix": {"type": "str", "default": "object"},
            "wait_cause": {"type": "str"},
            "known_after": {"type": "str"},
            "die": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    count = module.params["events"]
    progress = Progress.from_environment("work")
    for number in range(count):
        progress.event(f"{module.params['prefix']}-{number}", "making", number, count)
        if module.params["seconds"]:
            time.sleep(module.params["seconds"] / count)
        progress.event(f"{module.params['prefix']}-{number}", "made", number + 1, count)
    if module.params["wait_cause"]:
        for second in range(3):
            progress.waiting("the lock", module.params["wait_cause"], 5.0 + second)
            time.sleep(0.2)
    if module.params["die"]:
        os.kill(os.getpid(), 9)
    if module.params["known_after"]:
        module.fail_json(msg="nothing answers there", known_after=module.params["known_after"])
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
