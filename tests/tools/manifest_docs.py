# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the manifest's reference page and JSON Schema; with --check, only say whether they are current."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    _AnsibleCollectionFinder(paths=[str(ROOT / "playbooks" / "collections")])._install()
    from ansible_collections.socle.platform.plugins.plugin_utils._manifest.reference import page, schema_text

    stale = []
    for name, text in (("manifest.md", page()), ("manifest.schema.json", schema_text())):
        path = ROOT / "docs" / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(f"docs/{name}")
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    if stale and "--check" in arguments:
        print(f"not what the schema says: {', '.join(stale)}. Run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
