# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error of this program: a sentence for the person who runs it."""

from __future__ import annotations


class Trouble(Exception):
    """What cannot be done: the object, what was found, what was wanted, what to do next."""
