#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: openvpn_access
short_description: Says who gets in through OpenVPN
version_added: 0.1.0
author: The Socle authors (@socle-platform)
description:
  - Keeps a small certificate authority in the secrets backend, and with it the certificates of people and gateways, the
    list of what is revoked, and people's profiles.
  - Who is added to O(people) gets a certificate and a profile; who is taken out is revoked (with O(prune)); whose
    certificate is near its end gets a new one, and the old one stays valid until then.
  - No private key is ever part of the result. Gateways read theirs with P(socle.platform.secret#lookup), as
    C(openvpn/gateways/NAME#key).
  - It runs where the secrets backend is reached and where profiles are wanted, so delegate it to localhost.
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.engine.prune
  - socle.platform.secrets
  - socle.platform.secrets.module
options:
  name:
    description: What the VPN is called, in its authority and in profiles.
    type: str
    required: true
  path:
    description: Where in the secrets backend everything is kept. Another path is another authority.
    type: str
    default: openvpn
  people:
    description: Who gets in.
    type: list
    elements: str
    default: []
  revoke:
    description: Who does not get in any more. Not needed with O(prune).
    type: list
    elements: str
    default: []
  reissue:
    description:
      - By name, the day (V(2026-11-30)) or moment (V(2026-11-30T12:00Z)) at which a profile or a gateway's key was
        lost.
      - Certificates from before are revoked, and a new one is made, once.
    type: dict
    default: {}
  gateways:
    description: The gateways, in the order in which profiles name them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      address:
        description: The address or name at which people reach it.
        type: str
        required: true
  port:
    description: The gateways' port.
    type: int
    default: 1194
  protocol:
    description: The gateways' protocol.
    type: str
    choices: [udp, tcp]
    default: udp
  profiles:
    description:
      - The folder that profiles are written to, each as C(NAME.ovpn). It is made for its owner alone; one that others
        can look into is refused. Profiles of people who are revoked are removed from it.
      - Without it no profile is written.
    type: path
  profile_options:
    description: Further lines of every profile.
    type: list
    elements: str
    default: []
  authority_days:
    description: How long a new authority is valid.
    type: int
    default: 3650
  certificate_days:
    description: How long a new certificate is valid.
    type: int
    default: 365
  renew_days:
    description: How many days before its end a certificate is renewed.
    type: int
    default: 30
  crl_days:
    description: How long one list of revoked certificates counts.
    type: int
    default: 30
  crl_ahead_days:
    description:
      - How far ahead such lists are signed. Gateways take them up one after the other by themselves; after the last one
        nobody gets in until this module has run again.
      - They are signed anew when half of this time is over.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Who gets in
  socle.platform.openvpn_access:
    name: cater
    people: [ada, grace]
    gateways:
      - {name: vpn-1, address: 203.0.113.50}
      - {name: vpn-2, address: 203.0.113.51}
    profiles: ~/vpn
    prune: true
  delegate_to: localhost

- name: Grace's laptop was stolen
  socle.platform.openvpn_access:
    name: cater
    people: [grace]
    reissue: {grace: "2026-11-30"}
    gateways:
      - {name: vpn-1, address: 203.0.113.50}
  delegate_to: localhost
"""

RETURN = r"""
authority:
  description: The authority's certificate.
  type: str
  returned: always
certificates:
  description: The gateways' certificates by name.
  type: dict
  returned: always
revocations:
  description: What gateways need of revocations, as the helper on them reads it. Not secret.
  type: str
  returned: always
remarks:
  description: What happened beside, such as a lock taken over from a run that had died.
  type: list
  elements: str
  returned: always
objects:
  description: The authority, every gateway, every person and the revocations, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: The section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._openvpn import adapter


def main():
    access = adapter.Access()
    run(
        Adapter(
            spec=adapter.spec(),
            desired=adapter.desired,
            reader=access.reader,
            writer=access.writer,
            prunes=True,
            requires=adapter.missing_libraries(),
            more=access.more,
        )
    )


if __name__ == "__main__":
    main()
