# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A kubeadm cluster as it is, as it shall be, and the next safe steps from the one to the other.

`probe` looks at one machine, `decide` puts all machines together, `gate` stands before every act on a control plane.
What they give and take is plain data: `state.py` describes a machine, `steps.py` what is wanted and what is to be done.
"""
