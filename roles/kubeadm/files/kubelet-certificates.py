# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approves what kubelets ask for as their serving certificates, where the names are the node's own, and refuses others.

Runs on control planes by a timer. `kubelet-certificates.py --until NODE...` waits until each of these has been served.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NODES = Path("/etc/kubernetes/socle/nodes.json")
KUBECTL = ["/usr/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=10s"]
SIGNER = "kubernetes.io/kubelet-serving"
PREFIX = "system:node:"


def names(request: str) -> tuple[str, set[str]]:
    """The subject and the names of a request in PEM."""
    done = subprocess.run(
        ["/usr/bin/openssl", "req", "-noout", "-verify", "-text", "-nameopt", "RFC2253"],
        input=request, capture_output=True, text=True, check=True,
    )  # fmt: skip
    subject = re.search(r"(?m)^\s*Subject:\s*(.+)$", done.stdout)
    found = re.search(r"Subject Alternative Name:[^\n]*\n\s*([^\n]+)", done.stdout)
    words = [word.strip() for word in found[1].split(",")] if found else []
    return subject[1].strip() if subject else "", {_plain(word) for word in words}


def _plain(word: str) -> str:
    kind, _colon, value = word.partition(":")
    if kind == "DNS":
        return value
    if kind == "IP Address":
        return str(ipaddress.ip_address(value))
    return word


def fault(csr: dict[str, Any], allowed: list[str]) -> str:
    """What is wrong with a request, or nothing."""
    spec = csr["spec"]
    node = spec["username"].removeprefix(PREFIX)
    subject, wanted = names(base64.b64decode(spec["request"]).decode())
    parts = set(subject.split(","))
    if parts != {f"CN={PREFIX}{node}", "O=system:nodes"}:
        return f"its subject is {subject}"
    mine = {node, *(str(ipaddress.ip_address(address)) for address in allowed)}
    if not wanted or wanted - mine:
        return f"it is for {', '.join(sorted(wanted - mine)) or 'nothing'}; {node} may have {', '.join(sorted(mine))}"
    return ""


def pending() -> list[dict[str, Any]]:
    """Requests that nobody has decided, and decided ones of this signer too."""
    told = subprocess.run([*KUBECTL, "get", "csr", "-o", "json"], capture_output=True, text=True, check=True)
    rows = json.loads(told.stdout)["items"]
    return [row for row in rows if row["spec"]["signerName"] == SIGNER and row["spec"]["username"].startswith(PREFIX)]


def decide(nodes: dict[str, list[str]]) -> set[str]:
    """Decide what is open; the nodes that have had a certificate approved so far."""
    served = set()
    for csr in pending():
        name, node = csr["metadata"]["name"], csr["spec"]["username"].removeprefix(PREFIX)
        conditions = {row["type"] for row in csr.get("status", {}).get("conditions", [])}
        if "Approved" in conditions:
            served.add(node)
        if conditions:
            continue
        if node not in nodes:
            # Perhaps the list is older than the node: what is left open can still be approved.
            print(f"<4>{name}: {node} is not in {NODES}; left open. Run the playbook if it is a node of this cluster")
            continue
        wrong = fault(csr, nodes[node])
        subprocess.run([*KUBECTL, "certificate", "deny" if wrong else "approve", name], check=True, capture_output=True)
        print(f"<4>{name}: refused: {wrong}" if wrong else f"{name}: approved for {node}")
        if not wrong:
            served.add(node)
    return served


def main() -> int:
    nodes: dict[str, list[str]] = json.loads(NODES.read_text())
    waiting, end = set(sys.argv[2:]), time.monotonic() + 60
    while True:
        try:
            waiting -= decide(nodes)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or "").strip().splitlines()[-1:]
            if time.monotonic() > end or not waiting:
                print(f"<3>{' '.join(map(str, error.cmd))}: {' '.join(said)}", file=sys.stderr)
                return 1
        if not waiting:
            return 0
        if time.monotonic() > end:
            print(
                f"no kubelet of {', '.join(sorted(waiting))} asked for a certificate within a minute", file=sys.stderr
            )
            return 1
        time.sleep(1)


if __name__ == "__main__":
    raise SystemExit(main())
