#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gluster_volumes_info
short_description: Tells how a pool of GlusterFS servers and its volumes are, and whether all is healed
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads servers, volumes, what still has to be copied, and how far the spreading of files is. It runs on any
    server of the pool, as root.
options:
  names:
    description: The volumes to tell of; all of them when left out.
    type: list
    elements: str
  servers:
    description: Addresses of servers. The one that is this server's own comes back as C(address).
    type: list
    elements: str
    default: []
  paths:
    description: Folders of bricks on this server to look into.
    type: list
    elements: path
    default: []
  wait:
    description:
      - Seconds to wait until every brick of the volumes runs and every copy is whole. It fails when they are not by
        then, saying
        what is left, and at once when files are in split brain.
      - V(0) tells how it is now.
    type: float
    default: 0.0
attributes:
  check_mode:
    description: Can run in check mode and predict what it would do without doing it.
    support: full
  diff_mode:
    description: Says which fields differ.
    support: none
seealso:
  - module: socle.platform.gluster_volumes
"""

EXAMPLES = r"""
- name: Wait until nothing is left to heal
  socle.platform.gluster_volumes_info:
    wait: 600
  register: pool

- name: Say so
  ansible.builtin.debug:
    msg: "{{ pool.volumes | map(attribute='name') }} are whole"
"""

RETURN = r"""
installed:
  description: Whether GlusterFS is installed on this server.
  type: bool
  returned: success
running:
  description: Whether its daemon answers.
  type: bool
  returned: success
uuid:
  description: By what this server is known in its pool.
  type: str
  returned: success
address:
  description: Which of O(servers) is this server's own; empty when none is.
  type: str
  returned: success
op_version:
  description: The version of the protocol that this server speaks.
  type: int
  returned: success
servers:
  description: The servers of the pool, with C(uuid), C(names), C(here), C(connected), C(state).
  type: list
  elements: dict
  returned: success
volumes:
  description:
    - The volumes, with C(name), C(id), C(started), C(replicas), C(arbiter), C(bricks), C(options), C(quota) in bytes.
    - C(pending) entries are still to be copied, C(split_brain) are torn, C(healed) says that every brick runs and
      all copies are
      whole. C(rebalance) is how far the spreading of files is.
  type: list
  elements: dict
  returned: success
paths:
  description: What lies in O(paths), with C(there), C(empty), C(volume_id).
  type: dict
  returned: success
"""

from ansible_collections.socle.platform.plugins.module_utils._gluster.info_module import run_info


def main():
    run_info("gluster_volumes_info")


if __name__ == "__main__":
    main()
