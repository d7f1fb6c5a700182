# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's way back from a change that locks everybody out.

Before a change of the network or the firewall somebody arms it. It keeps the files as they are and puts them back when
the time is over, unless somebody who came from outside has disarmed it. Two ways lead to it:

- the node's notes, which the Proxmox API can read and write: a line `socle-try arm TOKEN SECONDS SCOPE` is answered
  with `socle-try armed TOKEN`; `socle-try disarm TOKEN` is answered by removing the line; a revert leaves
  `socle-try reverted TOKEN`;
- its commands, for whoever is logged in: `socle-try arm TOKEN SECONDS SCOPE`, `socle-try disarm TOKEN`, `socle-try
  status`. SCOPE is network or firewall: what belongs to the other one is left alone. `socle-try apply PORT...` puts
  the network in force.

What is kept is on disk, so that a node that restarts in between goes back as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

LINE = re.compile(
    r"^socle-try (?P<word>arm|armed|disarm|revert|reverted) (?P<token>[0-9a-f]{8,64})"
    r"(?: (?P<seconds>\d+))?(?: (?P<scope>network|firewall))?$"
)
# Who else may keep the network of a server that was made by somebody else.
KEEPERS = ("systemd-networkd.socket", "systemd-networkd.service", "NetworkManager.service")
# How ifreload ends while networking.service is at work.
BUSY = 89
SHORTEST, LONGEST = 5, 3600
PERIOD = 1.0


class Node:
    """The files and commands of this server."""

    def __init__(self, root="/", name="", run=None):
        self.root = Path(root)
        self.name = name or socket.gethostname().split(".")[0]
        self._run = run or self._really_run

    def path(self, name):
        return self.root / name.lstrip("/")

    @property
    def state(self):
        return self.path("/var/lib/socle-try/armed.json")

    def kept_files(self, scope):
        """What a change can lock us out with."""
        if scope == "firewall":
            return ["/etc/pve/firewall/cluster.fw", f"/etc/pve/nodes/{self.name}/host.fw"]
        extra = self.path("/etc/network/interfaces.d")
        parts = sorted(file.name for file in extra.iterdir() if file.is_file()) if extra.is_dir() else []
        return ["/etc/network/interfaces", *(f"/etc/network/interfaces.d/{name}" for name in parts)]

    def snapshot(self, scope):
        return {name: self._read(name) for name in self.kept_files(scope)}

    def keepers(self, scope):
        """Who keeps the network beside ifupdown2; a change takes it away from them."""
        if scope != "network":
            return []
        return [unit for unit in KEEPERS if self._run(["systemctl", "--quiet", "is-enabled", unit]) == 0]

    def apply_network(self, ports):
        """Put /etc/network/interfaces in force, and let nothing stay on ports that somebody else gave addresses to.

        Such an address would answer now and be gone at the next start.
        """
        for port in ports:
            self._run(["ip", "address", "flush", "dev", port])
        for _turn in range(30):
            code = self._run(["ifreload", "-a"])
            if code != BUSY:
                break
            time.sleep(PERIOD)
        return code

    def restore(self, scope, files, keepers=()):
        """Put back what differs; whether all of it is as it was."""
        whole = True
        differs = False
        made = [name for name in self.kept_files(scope) if name not in files]
        for name, text in [*files.items(), *((name, None) for name in made)]:
            if self._read(name) == text:
                continue
            differs = True
            try:
                self._write(name, text)
            except OSError as error:
                # /etc/pve cannot be written while the cluster has no quorum.
                say(f"cannot put back {name}: {error}")
                whole = False
        if scope == "network":
            with contextlib.suppress(OSError):
                self.path("/etc/network/interfaces.new").unlink()
            if differs and self.apply_network([]) != 0:
                self._run(["systemctl", "restart", "networking"])
            gone = [unit for unit in keepers if unit not in self.keepers(scope)]
            if gone:
                self._run(["systemctl", "unmask", *gone])
                whole = self._run(["systemctl", "enable", "--now", *gone]) == 0 and whole
        elif differs:
            # Its rules are made anew from the files; as long as those are the wrong ones, none at all is the way in.
            self._run(["pve-firewall", "restart" if whole else "stop"])
        return whole

    def _read(self, name):
        try:
            return self.path(name).read_text(encoding="utf-8", errors="surrogateescape")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def _write(self, name, text):
        path = self.path(name)
        if text is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".socle-try")
        new.write_text(text, encoding="utf-8", errors="surrogateescape")
        if path.exists():
            with contextlib.suppress(OSError):
                new.chmod(path.stat().st_mode & 0o777)
        new.replace(path)

    def notes(self):
        """The notes as the API shows them; a file of this form is how Proxmox keeps them."""
        lines = (self._read(f"/etc/pve/nodes/{self.name}/config") or "").splitlines()
        return "\n".join(unquote(line[1:]) for line in lines if line.startswith("#"))

    def set_notes(self, text):
        """By Proxmox's own command, which takes the lock that the API takes."""
        path = f"/nodes/{self.name}/config"
        change = ["--description", text] if text else ["--delete", "description"]
        return self._run(["pvesh", "set", path, *change]) == 0

    def _really_run(self, argv):
        try:
            return subprocess.run(argv, check=False, timeout=90).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            say(f"{argv[0]}: {error}")
            return 1


class Guard:
    """Armed or not; `tick` is called each second and does what is due."""

    def __init__(self, node, now=time.time):
        self.node, self.now = node, now

    def load(self):
        try:
            return json.loads(self.node.state.read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            say("the kept state is no JSON; it is laid aside")
            self.node.state.replace(self.node.state.with_suffix(".broken"))
            return None

    def save(self, state):
        path = self.node.state
        if state is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        with new.open("w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(0o600)
        new.replace(path)

    def arm(self, token, seconds, scope):
        """Keep what is there, until then."""
        seconds = min(max(int(seconds), SHORTEST), LONGEST)
        state = {"token": token, "until": self.now() + seconds, "seconds": seconds, "scope": scope}
        self.save({**state, "files": self.node.snapshot(scope), "keepers": self.node.keepers(scope)})
        say(f"armed for {seconds} s as {token}: {scope}")

    def disarm(self, token):
        """Whether it was armed with that token."""
        state = self.load()
        if state is None or state["token"] != token or state.get("reverting"):
            return False
        self.save(None)
        say(f"disarmed: {token}")
        return True

    def revert(self, state):
        # From here on no disarm counts: half of the files may be the old ones.
        if not state.get("reverting"):
            state["reverting"] = True
            self.save(state)
            say(f"nobody came back from outside: putting back what {state['token']} had kept")
        if self.node.restore(state["scope"], state["files"], state.get("keepers", ())):
            self.save(None)
            self.answer(state["token"], f"socle-try reverted {state['token']}")

    def tick(self):
        state = self.load()
        word, token, seconds, scope = self.asked()
        if word == "arm" and (state is None or state["token"] != token):
            if state is None:
                self.arm(token, seconds, scope)
            self.answer(token, f"socle-try armed {token}" if state is None else "")
            state = self.load()
        elif word == "disarm":
            self.disarm(token)
            state = self.load()
            if state is None or state["token"] != token:
                self.answer(token, "")
        elif word == "revert" and state is not None and state["token"] == token:
            self.revert(state)
            return
        elif word == "arm":
            self.answer(token, f"socle-try armed {token}")
        if state is None:
            return
        left = state["until"] - self.now()
        # A clock that was set back must not keep a node locked out for longer than was asked.
        if state.get("reverting") or left <= 0 or left > state["seconds"] + 60:
            self.revert(state)

    def asked(self):
        for line in self.node.notes().splitlines():
            match = LINE.match(line.strip())
            if match:
                return match["word"], match["token"], int(match["seconds"] or 60), match["scope"] or "network"
        return "", "", 0, ""

    def answer(self, token, text):
        """Put `text` in place of our line; other notes stay."""
        lines, found = [], False
        for line in self.node.notes().splitlines():
            match = LINE.match(line.strip())
            if not match:
                lines.append(line)
            elif match["token"] == token and not found:
                found = True
                lines += [text] if text else []
            else:
                lines.append(line)
        if found:
            self.node.set_notes("\n".join(lines))


def say(text):
    print(f"socle-try: {text}", flush=True)


def watch(guard):
    while True:
        try:
            guard.tick()
        except Exception as error:  # noqa: BLE001 - it must outlive anything, or nobody comes back
            say(f"{type(error).__name__}: {error}")
        time.sleep(PERIOD)


def main(argv):
    guard = Guard(Node())
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    if command == "watch" and not rest:
        watch(guard)
    elif command == "arm" and LINE.match(" ".join(["socle-try arm", *rest])) and len(rest) == 3:
        if guard.load() is not None:
            say("is armed already by somebody else; wait until that is over")
            return 3
        guard.arm(rest[0], int(rest[1]), rest[2])
    elif command == "disarm" and len(rest) == 1:
        if not guard.disarm(rest[0]):
            say(f"is not armed with {rest[0]}: it was put back, or never armed")
            return 4
    elif command == "apply":
        return guard.node.apply_network(rest)
    elif command == "status" and not rest:
        state = guard.load()
        said = {"armed": bool(state), **({"token": state["token"], "until": state["until"]} if state else {})}
        print(json.dumps(said))
    else:
        print(
            "usage: socle-try watch | arm TOKEN SECONDS network|firewall | disarm TOKEN | apply PORT... | status",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
