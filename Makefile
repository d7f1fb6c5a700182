# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

INVENTORY ?= inventories/onprem
LAB_INVENTORY ?= inventories/lab
PLAYBOOK ?= playbooks/site.yml
ONLY ?=
ARGS ?=
RECORDINGS ?= ../shared/pve/observed.jsonl.gz
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup test test-long unit integration lint sanity format docs bench check plan lock build clean try try-down audit lab lab-play services-export pve-sim pve-contract

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Install what the other targets need into .venv (and, as root, Debian's python3-venv)

$(READY): requirements-dev.txt tests/tools/setup.sh
	@sh tests/tools/setup.sh $(VENV)
	@touch $@

test: lint ## Everything that must hold before a change lands: lint, unit and integration tests
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-long: lint ## The same and what takes longer than CI has
	SOCLE_LONG=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

unit: $(READY) ## Unit tests only
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests/unit

integration: $(READY) ## Integration tests only
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests/integration

lint: $(READY) ## All linters, side by side (ONLY=ruff,mypy for some; see tests/tools/lint.py)
	$(BIN)/python tests/tools/lint.py $(ONLY)

sanity: $(READY) ## ansible-test sanity alone
	$(BIN)/python tests/tools/lint.py sanity

format: $(READY) ## Format the Python files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY) ## Write the generated pages again
	$(BIN)/python tests/tools/generate.py

bench: $(READY) ## Benchmarks beside the peer, into build/bench.json (ONLY=name for one)
	$(BIN)/python tests/benchmarks/run.py $(ONLY)

check: $(READY) ## Validate a manifest and show the platform it describes (INVENTORY=inventories/onprem)
	$(BIN)/ansible-playbook playbooks/check.yml -i $(INVENTORY)

plan: $(READY) ## Show what site.yml would change, and change nothing (INVENTORY=...)
	$(BIN)/ansible-playbook playbooks/plan.yml -i $(INVENTORY)

try: $(READY) ## A whole platform on this machine: the lab, site.yml on inventories/lab, and what to do next (as root)
	@$(BIN)/python tests/lab/lab.py try

try-down: $(READY) ## Remove what `make try` made
	@$(BIN)/python tests/lab/lab.py --name lab down

lab: $(READY) ## The lab's program: ARGS="status", "ssh NAME", "logs NAME", "up", "down", "reset" (see tests/lab/README.md)
	@$(BIN)/python tests/lab/lab.py $(or $(ARGS),status)

lab-play: $(READY) ## Run a playbook inside the lab (PLAYBOOK=playbooks/plan.yml LAB_INVENTORY=inventories/lab)
	@$(BIN)/python tests/lab/lab.py run -- $(CURDIR)/$(BIN)/ansible-playbook $(PLAYBOOK) -i $(LAB_INVENTORY) $(ARGS)

audit: $(READY) ## Judge a hardened node of the lab from outside: OpenSCAP, lynis, ssh-audit, a port scan (as root; ARGS=--keep)
	@$(BIN)/python tests/audit/audit.py $(ARGS)

pve-sim: $(READY) ## Start the Proxmox VE API simulator (ARGS="--port 8006 --nodes a,b --cluster lab"; see tests/lab/pve/README.md)
	$(BIN)/python tests/lab/pve/server.py $(ARGS)

pve-contract: $(READY) ## Hold the simulator to recordings of a real API (RECORDINGS=path); prints "matched N of M" last
	@$(BIN)/python tests/lab/pve/contract.py $(RECORDINGS)

build: $(READY) ## Build the collection's archive into build/
	$(BIN)/ansible-galaxy collection build --force --output-path build

services-export: $(READY) ## Chart, version and values of every service of every inventory (OUT=dir)
	$(BIN)/python tests/tools/services_export.py $(OUT)

lock: $(READY) ## Resolve requirements*.in again into hash-pinned locks
	$(BIN)/python tests/tools/lock.py

clean: ## Remove what was built (keeps .venv and the caches)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/output
