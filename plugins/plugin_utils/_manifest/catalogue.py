# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Facts of other systems that the checks need: support windows, regions, what offers what. One place, with dates."""

from __future__ import annotations

import datetime

# Minor version -> last day of upstream support. A minor that is not in the table is not known to work with the add-ons.
KUBERNETES_SUPPORT = {
    "1.33": datetime.date(2026, 6, 28),
    "1.34": datetime.date(2026, 10, 27),
    "1.35": datetime.date(2027, 2, 28),
    "1.36": datetime.date(2027, 6, 28),
    "1.37": datetime.date(2027, 10, 28),
}
KUBERNETES_ACCEPTED = ("1.35", "1.36", "1.37")
KUBERNETES_DEFAULT = "1.36"
# What a minor stands for when no patch is named, and the pause image that kubeadm names for it.
KUBERNETES_RELEASES = {"1.35": ("1.35.8", "3.10.1"), "1.36": ("1.36.4", "3.10.2"), "1.37": ("1.37.0", "3.10.2")}

# Debian's generic cloud images as of 2026-10: build, where it lies, and what its SHA512SUMS says.
_DEBIAN = "https://cloud.debian.org/images/cloud"
CLOUD_IMAGES = {
    "debian-13": (
        "20261001-2618",
        f"{_DEBIAN}/trixie/20261001-2618/debian-13-genericcloud-amd64-20261001-2618.qcow2",
        "sha512:f46f0671a6e5bdec5291ab8972bae2f10e5408c2f64a74078f11efc2f06a436a"
        "9d0313ed50e0472542eeabf780e9f7c792ac0a314c6c20507fcd9fd81b468c3d",
    ),
    "debian-12": (
        "20260909-2596",
        f"{_DEBIAN}/bookworm/20260909-2596/debian-12-genericcloud-amd64-20260909-2596.qcow2",
        "sha512:08fea112563461f251f3c95a5c5cf8cb25eb60f74cec03e85a97ff91d3efef30"
        "59d35837598bbb476008f20db6d3bdc7143c5f2f2a9a6da394a0acc601fd5986",
    ),
}

GCP_REGIONS = (
    "africa-south1",
    "asia-east1",
    "asia-east2",
    "asia-northeast1",
    "asia-northeast2",
    "asia-northeast3",
    "asia-south1",
    "asia-south2",
    "asia-southeast1",
    "asia-southeast2",
    "asia-southeast3",
    "australia-southeast1",
    "australia-southeast2",
    "europe-central2",
    "europe-north1",
    "europe-north2",
    "europe-southwest1",
    "europe-west1",
    "europe-west10",
    "europe-west12",
    "europe-west2",
    "europe-west3",
    "europe-west4",
    "europe-west6",
    "europe-west8",
    "europe-west9",
    "me-central1",
    "me-central2",
    "me-west1",
    "northamerica-northeast1",
    "northamerica-northeast2",
    "northamerica-south1",
    "southamerica-east1",
    "southamerica-west1",
    "us-central1",
    "us-east1",
    "us-east4",
    "us-east5",
    "us-south1",
    "us-west1",
    "us-west2",
    "us-west3",
    "us-west4",
)
# The zones of a region that a regional cluster may lie in, 2026-11; a, b and c where nothing is said.
GCP_ZONES = {
    "europe-west1": ("b", "c", "d"),
    "us-central1": ("a", "b", "c", "f"),
    "us-east1": ("b", "c", "d"),
}
GCP_ZONES_ELSEWHERE = ("a", "b", "c")
AWS_REGIONS = (
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
SCALEWAY_KAPSULE_REGIONS = ("fr-par", "it-mil", "nl-ams", "pl-waw")

# Address ranges that a cloud takes for itself, whatever the manifest says.
CLOUD_RESERVED = {
    "gke": ("172.17.0.0/16",),
    "cloud_run": ("172.17.0.0/16",),
    "kapsule": ("100.64.0.0/15",),
}
