# One word for each thing to do with Hubbub; `make` lists them.
#
# Everything is installed into .venv from lock files with hashes; nothing else on the machine is touched, except that
# `make` as root (or with sudo that asks nothing) lets apt bring python3-venv and Chromium where they are missing.

PYTHON ?= python3
ARGS ?=
FUZZ_SECONDS ?= 60

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
COMPILE = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# Files that stand for "this is installed".
MADE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
BUILD := $(VENV)/.build
DEV := $(VENV)/.dev
AGENTS := $(VENV)/.agents

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fallback check format fuzz bench web browser lock clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNTIME) web  ## start a server on this machine, with a page to join from (ARGS: flags of `hubbub serve`)
	@exec $(PY) -m hubbub serve --dev $(ARGS)

test: $(DEV) $(AGENTS) web browser  ## run all tests (ARGS: pytest's, such as ARGS="tests/auth -x")
	@$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-fallback: $(DEV) $(AGENTS) web browser  ## run the tests with real clients on plain sockets, as without sendmmsg and GSO
	@HUBBUB_TEST_PLAIN_SOCKETS=1 $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder tests/interop $(ARGS)

check: $(DEV)  ## check format, lint, types and who imports whom
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

format: $(DEV)  ## format the code and mend what can be mended
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

fuzz: $(DEV)  ## feed nonsense to the parsers (FUZZ_SECONDS for each)
	@$(PY) -m tests.fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

bench: $(DEV)  ## measure the forwarding path
	@$(PY) -m tests.bench $(ARGS)

web: $(RUNTIME) $(BUILD)  ## build the page
	@$(PY) -m hubbub.web.build

lock: $(DEV)  ## write the lock files anew (UPGRADE=1: with the newest versions)
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) requirements-build.in -o requirements-build.lock
	$(COMPILE) pyproject.toml requirements-build.in requirements-dev.in -c requirements.lock \
		-c requirements-build.lock -o requirements-dev.lock
	$(COMPILE) requirements-agents.in -o requirements-agents.lock
	@! grep -n "://" requirements*.lock

clean:  ## remove all that was made here
	rm -rf $(VENV) .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	rm -rf hubbub/web/static
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

browser:
	@command -v chromium >/dev/null || .ci/apt chromium || \
		echo "make: without Chromium the tests in a browser can't run." >&2

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: Hubbub needs Python 3.11 or newer; name one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/apt python3-venv
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(BUILD): requirements-build.lock $(MADE)
	@echo "Installing what the build needs …"
	@$(PIP) install --require-hashes -r $<
	@touch $@

$(RUNTIME): requirements.lock pyproject.toml $(BUILD)
	@echo "Installing what Hubbub needs …"
	@$(PIP) install --require-hashes -r $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@echo "Compiling the packet path …"
	@$(PY) -m sfu.compiled
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@echo "Installing what tests and checks need …"
	@$(PIP) install --require-hashes -r $<
	@touch $@

# The SDK that livekit-agents pins is not the one that other tests use.
$(AGENTS): requirements-agents.lock $(MADE)
	@echo "Installing an agent worker, in an environment of its own …"
	@$(PYTHON) -m venv --clear $(VENV)/agents
	@$(VENV)/agents/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@
