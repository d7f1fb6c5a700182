#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_volumes
short_description: Keeps a pool of GlusterFS servers and its replicated volumes
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Joins servers to a pool, makes volumes, grows them by whole sets of bricks, lets a new brick take the place of a
    dead
    one, starts what does not run, and sets options and quotas, for the whole pool in one task.
  - It runs on one server of the pool, as root.
  - Files are only ever held in sets of three bricks, all of them copies or two copies and an arbiter. Anything less
    cannot tell
    which copy is right after a cut network, and is refused.
  - Nothing is removed unless O(volumes[].state=absent) or O(prune) asks for it. Files stay in the bricks' folders
    even then.
options:
  servers:
    description:
      - Addresses of all servers of the pool, as they reach each other. The one that this task runs on may be among
        them.
    type: list
    elements: str
    required: true
  volumes:
    description: The volumes. Others are left alone.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the volume.
        type: str
        required: true
      bricks:
        description:
          - Where it is kept, as C(SERVER:/PATH). Each three in a row hold the same files and lie on different
            servers; the
            third is the arbiter where there is one.
          - More bricks than now are added, and files are spread over them in the background.
          - A brick that is not named any more hands its place to a new one; its files are copied there from the
            others.
        type: list
        elements: str
      replicas:
        description: Full copies of each file. Two need O(volumes[].arbiter=true).
        type: int
        choices: [2, 3]
        default: 3
      arbiter:
        description: Whether the third brick of each set holds names only, and no content.
        type: bool
        default: false
      options:
        description:
          - Options of the volume. Those that are not named stay as they are; an empty text sets one back.
        type: dict
      quota:
        description: How much it may hold, as in V(200 GiB). V(0) takes the limit away; left out, it stays as it is.
        type: str
      started:
        description: Whether it runs.
        type: bool
        default: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  blank:
    description:
      - Bricks whose folders were found empty on their own servers, because the server or its disk is new.
      - Where such a brick belongs to a volume and does not run, it is made anew from its copies. The other bricks
        of its set must
        run.
    type: list
    elements: str
    default: []
  replace_live:
    description: Whether the place of a brick that runs may be given to another one. That of a dead one always may.
    type: bool
    default: false
  force:
    description: Whether bricks may lie on the disk of the system.
    type: bool
    default: false
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.engine.prune
notes:
  - With O(prune), servers leave the pool that nothing names and no brick is left on. Volumes are never pruned.
seealso:
  - module: socle.platform.gluster_volumes_info
"""

EXAMPLES = r"""
- name: A volume on three servers
  socle.platform.gluster_volumes:
    servers: [10.10.80.1, 10.10.80.2, 10.10.80.3]
    volumes:
      - name: k8s
        bricks:
          - 10.10.80.1:/srv/gluster/k8s/brick
          - 10.10.80.2:/srv/gluster/k8s/brick
          - 10.10.80.3:/srv/gluster/k8s/brick
        quota: 200 GiB
        options:
          network.ping-timeout: 10
      - name: old
        state: absent
"""

RETURN = r"""
objects:
  description: Every server and volume, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._gluster import wanted
from ansible_collections.socle.platform.plugins.module_utils._gluster.cli import Cli
from ansible_collections.socle.platform.plugins.module_utils._gluster.reader import PoolReader
from ansible_collections.socle.platform.plugins.module_utils._gluster.writer import PoolWriter
from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run


def main():
    cli = Cli()
    run(
        Adapter(
            spec=wanted.spec(),
            desired=wanted.desired,
            reader=lambda parameters: PoolReader(cli, parameters),
            writer=lambda parameters: PoolWriter(cli, parameters),
            prunes=True,
        )
    )


if __name__ == "__main__":
    main()
