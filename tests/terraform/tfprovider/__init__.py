# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Providers made of their schemas alone, for real terraform and tofu with no registry and no account."""

from __future__ import annotations

from tfprovider.attach import VERSIONS, Attached, attached, load, schemas_folder
from tfprovider.cli import CliError, Workspace, changes, planned, replacements, workspace
from tfprovider.server import SchemaProvider

__all__ = [
    "VERSIONS", "Attached", "CliError", "SchemaProvider", "Workspace", "attached", "changes", "load", "planned",
    "replacements", "schemas_folder", "workspace",
]  # fmt: skip
