# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

from ansible_collections.socle.platform.plugins.plugin_utils._secrets.action import SecretsAction


class ActionModule(SecretsAction):
    """Tokens that GitLab tells once go to the secrets backend."""
