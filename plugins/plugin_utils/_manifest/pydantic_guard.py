# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""pydantic where it is installed; else just enough for the schema to be imported and the lack to be told."""

from __future__ import annotations

import traceback
from typing import Any

MISSING: str | None = None

try:
    from pydantic import BaseModel, ConfigDict, Field, ValidationError
    from pydantic_core import PydanticCustomError
except ImportError:
    MISSING = traceback.format_exc()

    class BaseModel:  # type: ignore[no-redef]  # the same name on purpose: the schema is only imported, never used
        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__()

    class ValidationError(Exception):  # type: ignore[no-redef]  # as above
        pass

    class PydanticCustomError(Exception):  # type: ignore[no-redef]  # as above
        pass

    def _nothing(*_args: Any, **_kwargs: Any) -> Any:
        return None

    ConfigDict = Field = _nothing  # type: ignore[assignment,misc]  # as above

__all__ = [
    "MISSING",
    "BaseModel",
    "ConfigDict",
    "Field",
    "PydanticCustomError",
    "ValidationError",
]
