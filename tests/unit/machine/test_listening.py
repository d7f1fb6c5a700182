# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""socle-listening reads the kernel's own tables of sockets."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location(
    "socle_listening", ROOT / "roles" / "machine_base" / "files" / "socle_listening.py"
)
assert spec is not None and spec.loader is not None
listening: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(listening)
ALL = "0.0.0.0"  # noqa: S104  # what it is looked for is a daemon that does this


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_daemon_that_nobody_named_is_found_with_its_program(family: socket.AddressFamily) -> None:
    """Would catch an address or a port read in the wrong order, and a family that is left out."""
    anywhere, loopback = (ALL, "127.0.0.1") if family == socket.AF_INET else ("::", "::1")
    try:
        waiting = socket.create_server((anywhere, 0), family=family)
    except OSError:
        pytest.skip("this machine has no such addresses")
    inner = socket.create_server((loopback, 0), family=family)
    with waiting, inner:
        port = waiting.getsockname()[1]
        said = "\n".join(listening.unexpected(Path("/proc"), {}))
        assert f"tcp port {port} at {anywhere}, and no opening names it" in said
        assert f"port {inner.getsockname()[1]} " not in said
        named = {"openings": [{"name": "x", "ports": [f"{port}-{port}"], "protocol": "tcp"}]}
        assert f"tcp port {port} " not in "\n".join(listening.unexpected(Path("/proc"), named))


def test_a_datagram_socket_counts_and_a_client_does_not() -> None:
    """Would catch a name server that nobody sees, and an alarm for each question that a program asks."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        daemon.bind((ALL, 0))
        port = daemon.getsockname()[1]
        listening.EPHEMERAL = range(0)
        client.connect(("127.0.0.1", port))
        said = "\n".join(listening.unexpected(Path("/proc"), {}))
        assert f"udp port {port} at 0.0.0.0" in said
        assert f"udp port {client.getsockname()[1]} " not in said
        assert f"udp port {port} " not in "\n".join(
            listening.unexpected(Path("/proc"), {"more": [{"ports": [port], "protocol": "udp"}]})
        )
