# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what each inventory's services are: for each cluster, service and size the chart, its version and the values.

    python tests/tools/services_export.py OUT [INVENTORY ...]

OUT/INVENTORY/CLUSTER/SERVICE/SIZE/ holds chart.yaml, values.yaml and objects.yaml (our own beside the chart);
OUT/index.json lists them all. To render one:

    helm template RELEASE CHART --repo REPOSITORY --version VERSION --namespace NAMESPACE --values values.yaml
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.socle.platform.plugins.plugin_utils"
# Everything in the catalogue, whether an inventory has it or not.
WHOLE = "catalogue"


def engine(folder: Path) -> SimpleNamespace:
    """The collection's own code, importable under its name from wherever the checkout lies."""
    home = folder / "ansible_collections" / "socle"
    home.mkdir(parents=True)
    (home / "platform").symlink_to(ROOT)
    sys.path.insert(0, str(folder))
    names = {
        "validate": "_manifest.validate",
        "mapping": "_manifest.mapping_services",
        "platform": "_services.platform",
        "services": "_services.services",
        "objects": "_services.objects",
        "declaration": "_services.declaration",
    }
    return SimpleNamespace(**{key: importlib.import_module(f"{PACKAGE}.{name}") for key, name in names.items()})


def described(of: SimpleNamespace, inventory: Path) -> dict[str, Any]:
    """What the catalogue is applied to, as a manifest says it."""
    manifest = next(iter(sorted(inventory.glob("*.socle.yml"))), None)
    if manifest is None:
        raise SystemExit(f"{inventory}: no file *.socle.yml is in it")
    valid = of.validate.validate_file(manifest)
    if not valid.ok:
        raise SystemExit(f"{manifest}: not valid; make check INVENTORY={inventory} says why")
    whole: dict[str, Any] = of.mapping.whole(valid.platform)
    return whole


def whole_catalogue(of: SimpleNamespace) -> dict[str, Any]:
    """A platform with a cluster of each kind that has every service there is."""
    served = {name for made in of.declaration.catalogue().values() for name in made.serves} - {"every"}
    settings = {name: {} for name in sorted(served)}
    settings["certificates"] = {"email": "ops@catalogue.example.org"}
    other = {**settings, "logging": {"kind": "elastic"}, "secrets": {"server": True}}
    rest = {name: row for name, row in other.items() if name != "ingress"}
    return {
        "name": "catalogue",
        "domain": "catalogue.example.org",
        "external": True,
        "secrets": {"address": "https://vault.example.org:8200", "mount": "socle"},
        "backups": {
            "to": "s3",
            "bucket": "backups",
            "endpoint": "https://s3.example.org",
            "region": "main",
            "keep": "30d",
        },
        "clusters": {
            "kubeadm": {
                "kind": "kubeadm",
                "home": True,
                "services": other,
                "pool": "10.10.3.0/24",
                "shared_path": "/mnt/gluster/k8s",
            },
            "plain": {"kind": "kubeadm", "services": settings, "pool": "10.20.3.0/24"},
            "gke": {
                "kind": "gke",
                "services": rest,
                "region": "europe-west1",
                "project": "example",
                "volumes": "regional",
                "mode": "autopilot",
            },
            "kapsule": {"kind": "kapsule", "services": settings, "region": "fr-par"},
            "eks": {"kind": "eks", "services": settings, "region": "eu-west-1", "mode": "pools"},
        },
    }


def dumped(value: Any) -> str:
    fast = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(value, Dumper=fast, sort_keys=False, width=120, allow_unicode=True)


def export(of: SimpleNamespace, inventory: str, given: dict[str, Any], out: Path) -> list[dict[str, Any]]:
    """One inventory."""
    platform = of.platform.platform(given)
    rows = []
    for cluster in platform.clusters.values():
        for name, chosen in of.services.chosen(cluster).items():
            for size in of.declaration.SIZES:
                service = of.services.service(name, platform, cluster, size)
                folder = out / inventory / cluster.name / name / size
                folder.mkdir(parents=True)
                row = {**of.services.describe(service), "inventory": inventory, "chosen": size == chosen}
                (folder / "chart.yaml").write_text(dumped(row))
                (folder / "values.yaml").write_text(dumped(service.values))
                objects = of.objects.objects(platform, service)
                (folder / "objects.yaml").write_text("".join(f"---\n{dumped(item)}" for item in objects))
                rows.append({**row, "folder": str(folder.relative_to(out)), "objects": len(objects)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder that is not there yet, or empty")
    parser.add_argument("inventories", nargs="*", type=Path, help="all of the project's own when none is named")
    given = parser.parse_args()
    if given.out.exists() and any(given.out.iterdir()):
        raise SystemExit(f"{given.out}: found files in it, wanted an empty folder; remove it, or name another one")
    inventories = given.inventories or sorted(path.parent for path in ROOT.glob("inventories/*/*.socle.yml"))
    with tempfile.TemporaryDirectory(prefix="socle-") as folder:
        of = engine(Path(folder))
        rows = export(of, WHOLE, whole_catalogue(of), given.out)
        for inventory in inventories:
            rows += export(of, inventory.resolve().name, described(of, inventory), given.out)
    (given.out / "index.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{len(rows)} values of {len({row['service'] for row in rows})} services are in {given.out}")


if __name__ == "__main__":
    main()
