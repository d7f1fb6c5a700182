# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Terraform layers as objects of the engine: each layer is planned, shown, and applied exactly as shown.

`stack` plans the layers in the order of their needs, `adapter` is the engine's two halves, `process` runs the binary,
`changes` reads its plans, `errors` its diagnostics, `workspace` keeps the folders, `preview` plans what depends on
values that are not known yet, `backends` and `buckets` are about the state.
"""
