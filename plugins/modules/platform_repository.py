#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_repository
short_description: Keeps a set of files in a remote Git repository, beside everybody else's
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Writes files to a branch, all of them in one commit, and makes no commit when nothing differs.
  - It records in C(.socle/files.json) what it wrote. A file of that record that somebody changed or removed by hand,
    and a file that was there before, are shown with their difference and not written over unless O(force) says so.
    One that already is as wanted is fine, whoever made it so.
  - Files beside these are never touched. A file of the record that is not named any more is removed.
  - Another commit that arrives meanwhile is never lost. The push only succeeds on top of what was read; else everything
    is read and judged again.
requirements:
  - The command C(git) where the task runs.
options:
  url:
    description: The repository, as git takes it. It must exist, and may be empty.
    type: str
    required: true
  branch:
    description: The branch. It is made when it is missing.
    type: str
    default: main
  user:
    description: The user that belongs to the token, for HTTP.
    type: str
    default: oauth2
  token:
    description: A token or password, for HTTP. It is never an argument of a process.
    type: str
  ssh_key_file:
    description: A private key, for SSH.
    type: path
  known_hosts_file:
    description: The file that knows the server's key, for SSH.
    type: path
  ca_file:
    description: The authority of the server's certificate, for HTTPS.
    type: path
  timeout:
    description: After how many seconds one call of git is given up.
    type: float
    default: 120.0
  files:
    description: All files, as a mapping of paths to contents.
    type: dict
    required: true
  reason:
    description: Why, for the message of the commit. Its first line says what changes.
    type: str
    default: The platform's manifest asks for it.
  author:
    description: Who commits, as C(Name <address>).
    type: str
    default: Socle <socle@localhost>
  force:
    description: Whether files that somebody else wrote, changed or removed are written over.
    type: bool
    default: false
extends_documentation_fragment:
  - socle.platform.engine
"""

EXAMPLES = r"""
- name: The files of the platform
  socle.platform.platform_repository:
    url: https://git.example.org/platform/cluster.git
    token: "{{ lookup('socle.platform.secret', 'gitlab/platform#token', create=false) }}"
    files:
      services/loki/values.yaml: "{{ values | to_nice_yaml }}"
    reason: Retention of logs is raised to 30 days
"""

RETURN = r"""
commit:
  description: The commit that was made; empty when there was none.
  type: str
  returned: always
objects:
  description: The repository, with the files that differ as fields.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._git import files
from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run


def main():
    shared = {}

    def repository(parameters):
        if not shared:
            shared["repository"] = files.Repository(parameters)
        return shared["repository"]

    try:
        run(
            Adapter(
                spec=files.SPEC,
                desired=lambda parameters: files.desired(parameters, repository(parameters).key),
                reader=lambda parameters: files.Files(repository(parameters)),
                writer=lambda parameters: files.FilesWriter(
                    repository(parameters), parameters["reason"], parameters["author"]
                ),
                more=lambda _plan, _result: {"commit": shared["repository"].commit},
            )
        )
    finally:
        for opened in shared.values():
            opened.clone.close()


if __name__ == "__main__":
    main()
