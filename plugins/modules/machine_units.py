#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_units
short_description: Keeps systemd units of a machine enabled, running or masked, all of them in one task
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Asks systemd once about all units and changes what differs.
options:
  units:
    description: The units. What is not said of a unit is left as it is.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its whole name, as in V(ssh.service).
        type: str
        required: true
      enabled:
        description: Whether it is started with the machine. Units that cannot be enabled are left alone.
        type: bool
      running:
        description: Whether it runs.
        type: bool
      masked:
        description: Whether it cannot be started at all.
        type: bool
attributes:
  check_mode:
    description: Tells what would change.
    support: full
  diff_mode:
    description: Shows the commands.
    support: full
"""

EXAMPLES = r"""
- name: The firewall runs, and nobody prints
  socle.platform.machine_units:
    units:
      - {name: nftables.service, enabled: true, running: true}
      - {name: cups.service, enabled: false, running: false}
"""

RETURN = r"""
commands:
  description: What was run.
  type: list
  elements: list
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._machine import units

UNIT = {
    "name": {"type": "str", "required": True},
    "enabled": {"type": "bool"},
    "running": {"type": "bool"},
    "masked": {"type": "bool"},
}


def main():
    spec = {"units": {"type": "list", "elements": "dict", "required": True, "options": UNIT}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)

    def run(argv):
        code, out, error = module.run_command(argv)
        return code, out if code == 0 else " / ".join((error or out).strip().splitlines()[-4:])

    try:
        wanted = [units.Wanted(**row) for row in module.params["units"]]
        commands = units.settle(wanted, run, change=not module.check_mode)
    except units.UnitsError as error:
        module.fail_json(msg=str(error))
    told = "".join(f"{' '.join(command)}\n" for command in commands)
    module.exit_json(changed=bool(commands), commands=commands, diff={"prepared": told})


if __name__ == "__main__":
    main()
