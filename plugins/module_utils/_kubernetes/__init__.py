# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The Kubernetes API, for every module of this collection that speaks it.

`config` finds out where the API is and how to log in; `api` calls it; `discovery` says which kinds it has. `objects`
and `nodes` are adapters on the engine.
"""
