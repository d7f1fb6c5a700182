# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Releases where there is no Kubernetes: one state machine, and a port for each cloud that carries it out.

`model` has the words, `machine` decides from what the cloud says, `drive` does one step after the other, `checks` looks
at a version, `adapter` joins it to the engine, `cloud_run` and `ecs` are the ports.
"""
