# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gitlab_settings
author:
  - The Socle authors (@socle-platform)
short_description: The settings of GitLab's Linux package from a few choices
version_added: 0.1.0
description:
  - Gives the mapping that P(socle.platform.gitlab_rb#filter) writes. The role C(socle.platform.gitlab) makes it from
    its variables.
options:
  _input:
    description: Further settings by section; they win.
    type: dict
    required: true
  choices:
    description:
      - A mapping of C(external_url), C(own_certificate), C(email), C(registry_url), C(smtp), C(object_store),
        C(monitoring), C(backup_path), C(backup_keep), C(backup_upload).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ {} | socle.platform.gitlab_settings({'external_url': 'https://gitlab.example.org'}) }}"
"""

RETURN = r"""
_value:
  description: The settings.
  type: dict
"""

import typing as t
from collections.abc import Mapping
from urllib.parse import urlsplit

from ansible.errors import AnsibleFilterError

SSL = "/etc/gitlab/ssl"
SMTP = {"server", "port", "user", "password", "sender"}


def gitlab_settings(more: Mapping[str, t.Any], choices: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The role's own settings, and what the user sets over them."""
    url = str(choices.get("external_url") or "")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AnsibleFilterError(f"gitlab_settings: external_url is {url!r}; write it as https://gitlab.example.org")
    rails: dict[str, t.Any] = {
        "backup_path": str(choices.get("backup_path") or "/var/opt/gitlab/backups"),
        "backup_keep_time": int(choices.get("backup_keep") or 0),
        "monitoring_whitelist": list(choices.get("monitoring") or ["127.0.0.0/8"]),
        "gitlab_default_projects_features_container_registry": bool(choices.get("registry_url")),
        "usage_ping_enabled": False,
    }
    settings: dict[str, t.Any] = {"external_url": url, "gitlab_rails": rails}
    rails.update(_mail(choices.get("smtp") or {}))
    if choices.get("object_store"):
        rails["object_store"] = {"enabled": True, "proxy_download": True, **choices["object_store"]}
    upload = choices.get("backup_upload") or {}
    if upload:
        rails["backup_upload_connection"] = upload["connection"]
        rails["backup_upload_remote_directory"] = upload["directory"]
    nginx: dict[str, t.Any] = {}
    own = bool(choices.get("own_certificate"))
    if parts.scheme == "https":
        nginx["redirect_http_to_https"] = True
        settings["letsencrypt"] = {"enable": not own}
        if own:
            nginx |= {"ssl_certificate": f"{SSL}/gitlab.crt", "ssl_certificate_key": f"{SSL}/gitlab.key"}
        elif choices.get("email"):
            settings["letsencrypt"]["contact_emails"] = [str(choices["email"])]
    if choices.get("registry_url"):
        settings["registry_external_url"] = str(choices["registry_url"])
        if own:
            names = {"ssl_certificate": f"{SSL}/gitlab.crt", "ssl_certificate_key": f"{SSL}/gitlab.key"}
            settings["registry_nginx"] = names
    if nginx:
        settings["nginx"] = nginx
    return _merged(settings, more)


def _mail(smtp: Mapping[str, t.Any]) -> dict[str, t.Any]:
    if not smtp:
        return {"smtp_enable": False}
    unknown = sorted(set(smtp) - SMTP)
    if unknown or not smtp.get("server"):
        raise AnsibleFilterError(
            f"gitlab_settings: smtp has {', '.join(sorted(smtp))}; wanted is server, and may be "
            "port, user, password, sender"
        )
    port = int(smtp.get("port") or 587)
    found: dict[str, t.Any] = {
        "smtp_enable": True,
        "smtp_address": smtp["server"],
        "smtp_port": port,
        "smtp_tls": port == 465,
        "smtp_enable_starttls_auto": port != 465,
    }
    if smtp.get("user"):
        found |= {"smtp_user_name": smtp["user"], "smtp_password": smtp.get("password"), "smtp_authentication": "login"}
    if smtp.get("sender"):
        found |= {"gitlab_email_from": smtp["sender"], "gitlab_email_reply_to": smtp["sender"]}
    return found


def _merged(base: Mapping[str, t.Any], more: Mapping[str, t.Any]) -> dict[str, t.Any]:
    found = dict(base)
    for name, value in more.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = _merged(found[name], value) if both else value
    return found


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"gitlab_settings": gitlab_settings}
