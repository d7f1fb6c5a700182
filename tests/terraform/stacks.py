# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run terraform_stack in this process, as its module would: parameters in, the module's result out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.socle.platform.plugins.module_utils import _module, _plan
from ansible_collections.socle.platform.plugins.module_utils._progress import NullProgress
from ansible_collections.socle.platform.plugins.module_utils._terraform import adapter, options


def run(parameters: Mapping[str, Any], *, check: bool = False, progress: NullProgress | None = None) -> dict[str, Any]:
    """One task. What the argument spec refuses is an error of the test."""
    session = adapter.Session("terraform_stack")
    made = _module.Adapter(
        spec=options.spec(),
        desired=lambda given: adapter.desired(session.of(given)),
        reader=session.reader,
        writer=session.writer,
        more=session.more,
    )
    spec = _module.argument_spec(made)
    told = ArgumentSpecValidator(spec).validate(dict(parameters))
    assert not told.error_messages, told.error_messages
    task = _module.Task(
        made,
        _module.given(told.validated_parameters, spec),
        "terraform_stack",
        progress or NullProgress(),
        _plan.new_salt() if check else "",
    )
    try:
        return task.perform(check)
    finally:
        session.close()


def layer(folder: Path, hcl: str) -> str:
    """A layer's folder with one file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf").write_text(hcl)
    return str(folder)
