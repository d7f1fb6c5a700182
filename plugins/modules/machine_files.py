#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_files
short_description: Writes a set of files on a machine, with a way back from those that could lock everybody out
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Compares all files at once, lets programs refuse new content before anything is written, writes what differs, and
    runs what puts it in force, each command once.
  - A change of a O(files[].guarded) file arms a way back on the machine. It keeps the old files, and puts them back
    when the time is over or the machine restarts. Only a connection that is opened anew after the change ends that, and
    this module's action plugin opens one. When it cannot, the task fails, and the machine is as it was.
  - A run that is killed between writing and putting in force is finished by the next one.
options:
  files:
    description: The files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is. Folders in which a file lies are made.
        type: path
        required: true
      content:
        description: All that is in it. With neither this nor O(files[].lines) only owner and mode are kept.
        type: str
      lines:
        description: Lines of a file that others write too.
        type: list
        elements: dict
        suboptions:
          match:
            description: A regular expression. The first line that matches is replaced, further ones are removed.
            type: str
            required: true
          line:
            description: The line; it goes to the end when none matches.
            type: str
            required: true
      state:
        description: What is there.
        type: str
        choices: [file, directory, link, absent]
        default: file
      target:
        description: Where a link leads to.
        type: str
      owner:
        description: The user that owns it.
        type: str
        default: root
      group:
        description: The group that owns it.
        type: str
        default: root
      mode:
        description: Its mode, in octal and in quotes. V(0644) for files and V(0755) for folders if not given.
        type: str
      validate:
        description: A command that refuses bad content, by its words. C(%s) is a file with the new content.
        type: list
        elements: str
      apply:
        description: Commands that put it in force, by their words.
        type: list
        elements: list
      guarded:
        description: Whether a mistake in it can lock everybody out.
        type: bool
        default: false
      undo:
        description: Commands that are run before O(files[].apply) when it is put back; their failures are ignored.
        type: list
        elements: list
      keep:
        description: Further files that the commands of O(files[].apply) change, and that are put back with it.
        type: list
        elements: path
      secret:
        description: Whether its content is hidden from the diff.
        type: bool
        default: false
  owned:
    description: Folders in which files that are not named are removed.
    type: list
    elements: path
    default: []
  seconds:
    description: How long the machine waits for the new connection before it goes back.
    type: int
    default: 60
  disarm:
    description: Ends the way back that has this token. The action plugin uses it; you have no reason to.
    type: str
attributes:
  check_mode:
    description: Tells what would change.
    support: full
  diff_mode:
    description: Shows what differs.
    support: full
"""

EXAMPLES = r"""
- name: Close all ports but one
  socle.platform.machine_files:
    files:
      - path: /etc/nftables.conf
        content: "{{ lookup('ansible.builtin.template', 'nftables.conf.j2') }}"
        mode: "0600"
        validate: [nft, --check, --file, "%s"]
        apply: [[nft, --file, /etc/nftables.conf]]
        guarded: true
"""

RETURN = r"""
paths:
  description: What was changed.
  type: list
  elements: str
  returned: always
commands:
  description: What was run to put it in force.
  type: list
  elements: list
  returned: always
armed:
  description: The token of the way back, as long as it is armed.
  type: str
  returned: when a guarded file was changed
"""

import secrets

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._machine.files import (
    Files,
    FilesError,
    described,
    wanted_of,
)

LINE = {"match": {"type": "str", "required": True}, "line": {"type": "str", "required": True}}
FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "lines": {"type": "list", "elements": "dict", "options": LINE},
    "state": {"type": "str", "choices": ["file", "directory", "link", "absent"], "default": "file"},
    "target": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str"},
    "validate": {"type": "list", "elements": "str"},
    "apply": {"type": "list", "elements": "list"},
    "guarded": {"type": "bool", "default": False},
    "undo": {"type": "list", "elements": "list"},
    "keep": {"type": "list", "elements": "path"},
    "secret": {"type": "bool", "default": False},
}
SPEC = {
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
    "owned": {"type": "list", "elements": "path", "default": []},
    "seconds": {"type": "int", "default": 60},
    "disarm": {"type": "str", "no_log": False},
}


def main():
    # Whole files do not belong into the machine's log, keys among them least of all.
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True, no_log=True)
    files = Files(missing_owners_are_new=module.check_mode)
    try:
        if module.params["disarm"]:
            module.exit_json(changed=False, disarmed=files.way.disarm(module.params["disarm"]))
        module.exit_json(**settle(module, files))
    except (FilesError, RuntimeError, OSError) as error:
        module.fail_json(msg=str(error))


def settle(module, files):
    if not module.check_mode:
        # What a killed run left armed was never proven.
        files.way.revert()
    changes = files.plan([wanted_of(entry) for entry in module.params["files"]], module.params["owned"])
    result = {"changed": bool(changes or files.pending()), "paths": [change.wanted.path for change in changes]}
    result |= {"commands": [], "diff": [described(change) for change in changes]}
    if module.check_mode or not result["changed"]:
        return result
    files.validate(changes)
    token = secrets.token_hex(8)
    result["commands"] = files.write(changes, token, module.params["seconds"])
    if any(change.wanted.guarded for change in changes):
        result["armed"] = token
    return result


if __name__ == "__main__":
    main()
