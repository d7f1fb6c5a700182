#!/bin/sh
# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the virtual environment in $1 from the hash-pinned lock. Says exactly what is missing where it cannot go on.
set -eu
venv=$1

find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 or newer found (tried \$PYTHON, python3.11 to python3.14, python3). Install one, or: make setup PYTHON=/path/to/python3" >&2
    exit 1
}

python=$(find_python)

# Debian's packages: venv is needed; shellcheck lets `ansible-test sanity` look at shell scripts too (it skips them without).
needed="" wished=""
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    needed=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
command -v shellcheck >/dev/null || wished=shellcheck
# The lab (tests/lab/README.md): containers that boot, images made of packages, links and loop devices.
if [ "$(uname -s)" = Linux ]; then
    for pair in podman:podman runc:runc mmdebstrap:mmdebstrap ip:iproute2 nsenter:util-linux losetup:mount depmod:kmod \
        ssh-keygen:openssh-client gpg:gnupg; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || wished="$wished ${pair#*:}"
    done
fi
if [ -n "$needed$wished" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: installing $needed $wished"
        apt-get update -qq
        # shellcheck disable=SC2086  # two words or one, never quoted
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $needed $wished >/dev/null
    elif [ -n "$needed" ]; then
        echo "setup: $python has no venv module. As root: apt-get install $needed; then run make again." >&2
        exit 1
    else
        echo "setup: not here: $wished. Shell scripts stay unchecked and the lab cannot run. As root: apt-get install $wished" >&2
    fi
fi

# A venv of another Python, or one whose interpreter has gone, is made anew rather than repaired.
wanted=$("$python" -c 'import sys; print(sys.version_info[:2])')
if [ "$("$venv/bin/python" -c 'import sys; print(sys.version_info[:2])' 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
echo "setup: installing requirements-dev.txt into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
