# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxmox
author:
  - The Socle authors (@socle-platform)
short_description: The guests of a Proxmox VE cluster as they are now
version_added: 0.1.0
description:
  - Reads a file whose name ends in C(proxmox.yml) or C(proxmox.yaml).
  - One request lists all guests of the cluster, however many. With O(want_facts) each guest that the filters and
    C(--limit) leave is asked for its configuration, many at a time.
  - Hosts have the variables C(proxmox_vmid), C(proxmox_name), C(proxmox_node), C(proxmox_type), C(proxmox_status),
    C(proxmox_template), C(proxmox_tags), C(proxmox_pool), C(proxmox_lock), C(proxmox_ha_state), C(proxmox_cores),
    C(proxmox_memory), C(proxmox_disk) and C(proxmox_uptime); with facts also C(proxmox_config), C(proxmox_addresses)
    and C(proxmox_interfaces), and C(ansible_host).
  - Each host is in the groups C(proxmox_TYPE), C(proxmox_STATUS), C(proxmox_node_NAME), C(proxmox_tag_NAME) and
    C(proxmox_pool_NAME).
  - Names, states and sizes come from Proxmox's own statistics, which are up to ten seconds old.
notes:
  - Guests that have the same name are listed as C(name-ID), with a warning.
extends_documentation_fragment:
  - constructed
  - inventory_cache
requirements:
  - proxmoxer >= 2.0
  - requests
options:
  plugin:
    description: Says that this file is for this plugin.
    required: true
    choices: [socle.platform.proxmox]
  api_host:
    description:
      - Nodes of the cluster whose API is used, as V(name), V(name:port) or an address. The first that answers is used.
      - This and the other connection options may be Jinja, such as a lookup; it is evaluated when the API is asked.
    type: list
    elements: str
    required: true
    env:
      - name: PROXMOX_HOST
  api_port:
    description: Port of the API, for hosts that do not name one.
    type: int
    default: 8006
    env:
      - name: PROXMOX_PORT
  api_user:
    description: Who logs in, with the realm, as in V(root@pam).
    type: str
    env:
      - name: PROXMOX_USER
  api_password:
    description: The user's password.
    type: str
    env:
      - name: PROXMOX_PASSWORD
  api_token_id:
    description: Name of an API token, as in V(ci) beside O(api_user), or whole as in V(socle@pve!ci).
    type: str
    env:
      - name: PROXMOX_TOKEN_ID
  api_token_secret:
    description: The token's secret. A token is preferred to a password.
    type: str
    env:
      - name: PROXMOX_TOKEN_SECRET
  validate_certs:
    description: Whether the server's certificate must be valid.
    type: bool
    default: true
    env:
      - name: PROXMOX_VALIDATE_CERTS
  ca_path:
    description: File with the certificate authority to trust.
    type: path
    env:
      - name: PROXMOX_CA_PATH
  api_timeout:
    description: Seconds to wait for one answer.
    type: float
    default: 60
  want_facts:
    description: Whether guests are asked for their configuration and addresses.
    type: bool
    default: false
  concurrency:
    description: How many guests are asked at the same time at most.
    type: int
    default: 32
  agent:
    description:
      - When a running guest's agent is asked for its addresses. An agent that does not answer costs three seconds.
      - With V(auto), where the configuration gives no fixed address.
    type: str
    choices: [auto, always, never]
    default: auto
  networks:
    description:
      - C(ansible_host) is an address in the first of these networks that has any, and is not set without one.
      - Empty means the first address, IPv4 before IPv6.
    type: list
    elements: str
    default: []
  limit_facts:
    description:
      - Whether guests that C(--limit) excludes are asked for facts as well; V(true) means that they are not.
      - Set it to V(false) when plays read facts of hosts outside of the limit through C(hostvars).
    type: bool
    default: true
  filters:
    description:
      - Jinja conditions; a guest that does not meet all of them is left out.
      - Those that use no facts are looked at first, so that others are never asked about what they leave out.
    type: list
    elements: str
    default: []
  include_templates:
    description: Whether templates are hosts too.
    type: bool
    default: false
  include_nodes:
    description: Whether the nodes of the cluster are hosts too, in the group C(proxmox_nodes).
    type: bool
    default: false
  facts_prefix:
    description: What the names of variables begin with.
    type: str
    default: proxmox_
  group_prefix:
    description: What the names of groups begin with.
    type: str
    default: proxmox_
"""

EXAMPLES = r"""
# live.proxmox.yml: every guest, one request
plugin: socle.platform.proxmox
api_host: [pve1.example.org, pve2.example.org]
api_token_id: socle@pve!socle
api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"

---
# live.proxmox.yml: running machines of one pool, with addresses in the rack network, kept for ten minutes
plugin: socle.platform.proxmox
api_host: [pve1.example.org]
api_user: reader@pve
want_facts: true
networks: [10.10.0.0/16]
filters:
  - proxmox_status == 'running'
  - proxmox_pool == 'cater'
keyed_groups:
  - key: proxmox_tags
    prefix: role
groups:
  big: proxmox_memory >= 16 * 1024 ** 3
compose:
  description: proxmox_config.description | default('')
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: .cache/proxmox
cache_timeout: 600
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.socle.platform.plugins.module_utils._objects import EngineError
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session, missing_libraries
from ansible_collections.socle.platform.plugins.plugin_utils._proxmox_inventory import bulk, fetch, guests, limit

_CONNECTION = (
    *("api_host", "api_port", "api_user", "api_password", "api_token_id", "api_token_secret"),
    *("validate_certs", "ca_path", "api_timeout"),
)
_FACTS = ("config", "addresses", "interfaces")
# Without one of these a text is the same before and after evaluation.
_MARKUP = re.compile(r"[{}%#]")

try:
    from ansible.template import trust_as_template as _trusted
except ImportError:
    # Before ansible-core 2.19 every text is trusted unless it is marked otherwise.
    def _trusted(value: Any) -> Any:
        return value


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Ansible's side: options in, hosts out."""

    NAME = "socle.platform.proxmox"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("proxmox.yml", "proxmox.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        for library, _trace in missing_libraries():
            raise AnsibleError(f"{path}: the Python library {library} is missing; install it beside Ansible")
        self.session = Session()
        self._marked: dict[str, Any] = {}
        key, keep = self.get_cache_key(path), self.get_option("cache")
        kept = self._kept(key) if keep and cache else {}
        seen = {"rows": kept.get("rows"), "nodes": kept.get("nodes"), "facts": dict(kept.get("facts", {}))}
        try:
            self._populate(seen)
        except EngineError as error:
            raise AnsibleParserError(f"{path}: {error}") from None
        finally:
            self.session.close()
        if keep and seen != kept:
            self._cache[key] = seen

    def _kept(self, key: str) -> dict[str, Any]:
        try:
            return dict(self._cache[key])
        except KeyError:
            return {}

    def _ask(self, path: str, **params: Any) -> Any:
        """One question to the API. Nothing is looked up, and nobody logged in, before the first one."""
        return self.session.pve.get(path, **params)

    def _connect(self) -> None:
        params = {name: self._templated(self.get_option(name)) for name in _CONNECTION}
        if isinstance(params["api_host"], str):
            params["api_host"] = [host for host in params["api_host"].split(",") if host.strip()]
        self.session.of(params)

    def _templated(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._templated(item) for item in value]
        return self.templar.template(value) if isinstance(value, str) and self.templar.is_template(value) else value

    def _populate(self, seen: dict[str, Any]) -> None:
        nodes = self.get_option("include_nodes")
        if seen["rows"] is None or (nodes and seen["nodes"] is None):
            self._connect()
            seen["rows"] = self._ask("/cluster/resources", type="vm")
            seen["nodes"] = self._ask("/cluster/status") if nodes else None
        found = [g for g in guests.guests_of(seen["rows"]) if self.get_option("include_templates") or not g.template]
        self._name(found, seen["facts"])
        hosts, warnings = guests.name_hosts(found)
        for warning in warnings:
            self.display.warning(warning)
        prefix = self.get_option("facts_prefix")
        facts = {f"{prefix}{name}" for name in _FACTS} | {"ansible_host"}
        early = [item for item in self.get_option("filters") if not facts & _names(item)]
        late = [item for item in self.get_option("filters") if item not in early]
        base = {name: self._variables(guest) for name, guest in hosts.items()}
        hosts = {name: guest for name, guest in hosts.items() if self._meets(early, base[name], name)}
        if self.get_option("want_facts"):
            self._gather(hosts, seen["facts"])
            base.update({name: self._variables(guest) for name, guest in hosts.items() if guest.facts})
        for name, guest in hosts.items():
            if self._meets(late, base[name], name):
                self._add(name, guest, base[name])
        if nodes:
            self._add_nodes(seen["nodes"] or [])

    def _name(self, found: Iterable[guests.Guest], kept: dict[str, Any]) -> None:
        """A guest made a moment ago is in the list without a name: its configuration has it."""
        nameless = [guest for guest in found if not guest.name]
        for guest in nameless:
            guest.facts = kept.get(str(guest.vmid), {})
        missing = [guest for guest in nameless if not guest.facts]
        if missing:
            self._connect()
            self._fetch(missing, "never")
        for guest in nameless:
            config = guest.facts.get("config", {})
            guest.name = str(config.get("name") or config.get("hostname") or "")
            guest.facts = {}

    def _fetch(self, found: list[guests.Guest], agent: str) -> None:
        """Facts of these guests; a warning for what could not be read."""
        # The transport finds a host and logs in at the first one.
        problems = fetch.gather(found[:1], self._ask, agent, 1)
        quick = bulk.Bulk(self.session.pve)
        try:
            problems += fetch.gather(found[1:], quick.get, agent, self.get_option("concurrency"))
        finally:
            quick.close()
        for problem in problems[:5]:
            self.display.warning(problem)
        if len(problems) > 5:
            self.display.warning(f"and {len(problems) - 5} more guests without facts")

    def _gather(self, hosts: Mapping[str, guests.Guest], kept: dict[str, Any]) -> None:
        left: Iterable[str] = hosts
        if self.get_option("limit_facts"):
            subset = limit.terms(context.CLIARGS.get("subset") if context.CLIARGS else None)
            groups = {name: self._groups(guest) for name, guest in hosts.items()}
            constructed = bool(self.get_option("groups") or self.get_option("keyed_groups"))
            others = set(self.inventory.hosts) - set(hosts)
            chosen = limit.limited(subset, groups, others, constructed) if subset else None
            left = hosts if chosen is None else sorted(chosen)
        for name in hosts:
            hosts[name].facts = kept.get(str(hosts[name].vmid), {})
        missing = [hosts[name] for name in left if not hosts[name].facts]
        if missing:
            self._connect()
            self._fetch(missing, self.get_option("agent"))
        kept.update({str(guest.vmid): guest.facts for guest in missing if guest.facts})

    def _variables(self, guest: guests.Guest) -> dict[str, Any]:
        prefix = self.get_option("facts_prefix")
        found = {f"{prefix}{name}": value for name, value in guest.base().items()}
        if guest.facts:
            found[f"{prefix}config"] = guests.config_facts(guest.facts["config"])
            found[f"{prefix}addresses"] = guest.facts["addresses"]
            found[f"{prefix}interfaces"] = guest.facts["interfaces"]
            address = guests.reach(guest.facts["addresses"], self.get_option("networks"))
            if address:
                found["ansible_host"] = address
        return found

    def _groups(self, guest: guests.Guest) -> list[str]:
        prefix = self.get_option("group_prefix")
        return [self._sanitize_group_name(f"{prefix}{name}") for name in guest.groups()]

    def _meets(self, conditions: Iterable[str], variables: Mapping[str, Any], name: str) -> bool:
        for condition in conditions:
            try:
                if not self._compose(condition, variables):
                    return False
            except Exception as error:  # noqa: BLE001 - whatever a user's expression raises
                said = f"filter {condition!r} cannot be evaluated for {name}: {error}"
                if self.get_option("strict"):
                    raise AnsibleParserError(said) from None
                self.display.warning(f"{said}; the host is kept")
        return True

    def _add(self, name: str, guest: guests.Guest, found: dict[str, Any]) -> None:
        variables = {key: self._harmless(value) for key, value in found.items()}
        self.inventory.add_host(name)
        for group in self._groups(guest):
            self.inventory.add_group(group)
            self.inventory.add_child(group, name)
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)

    def _harmless(self, value: Any) -> Any:
        """Texts of guests are data: what stands in a description is not Ansible's to evaluate."""
        if isinstance(value, str):
            # Most texts are those of other guests too, and marking one is slow.
            if value not in self._marked:
                self._marked[value] = wrap_var(value) if _MARKUP.search(value) else _trusted(value)
            return self._marked[value]
        if isinstance(value, dict):
            return {key: self._harmless(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._harmless(item) for item in value]
        return value

    def _add_nodes(self, rows: Iterable[Mapping[str, Any]]) -> None:
        group = self._sanitize_group_name(f"{self.get_option('group_prefix')}nodes")
        self.inventory.add_group(group)
        for row in rows:
            if row.get("type") == "node":
                name = str(row["name"])
                self.inventory.add_host(name, group)
                self.inventory.set_variable(name, f"{self.get_option('facts_prefix')}online", bool(row.get("online")))
                if row.get("ip"):
                    self.inventory.set_variable(name, "ansible_host", str(row["ip"]))


def _names(condition: str) -> set[str]:
    """The variables that a condition uses."""
    from jinja2 import Environment, TemplateError, meta

    try:
        # Only taken apart, never rendered.
        return set(meta.find_undeclared_variables(Environment(autoescape=True).parse("{{ " + condition + " }}")))
    except TemplateError:
        # Filters and tests of collections are unknown here, and are found as words.
        return set("".join(c if c.isalnum() or c == "_" else " " for c in condition).split())
