# What a contributor or CI runs. `make` lists it.

VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
# More arguments for pytest: make test ARGS="-k retry -x"
ARGS :=
# Tests run in this many processes, for most of them wait for servers; each with servers of its own. 0 for a debugger.
PROCESSES := 3
PARALLEL = -n $(PROCESSES) --dist worksteal
# Tests start hundreds of interpreters; compiled once, a module loads in a third of the time.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check verify bench simulate soak clean servers verifiers
.DELETE_ON_ERROR:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Tell the story of an order on the embedded broker
	$(BIN)/broker-actors demo

test: $(VENV)/.dev servers ## Run the default suite on private servers
	$(PYTEST) $(PARALLEL) $(ARGS)

# Every tool runs, so that one look shows everything there is to fix.
check: $(VENV)/.dev ## Check format, lint, types (mypy and pyright) and layers
	@failed=; \
	for tool in "ruff format --check ." "ruff check ." mypy pyright lint-imports; do \
	  echo "== $$tool"; $(BIN)/$$tool || failed="$$failed [$$tool]"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed:$$failed" >&2; exit 1; fi

# The second generation is whatever newer RabbitMQ and Redis the variables NEWER_RABBITMQ and
# NEWER_REDIS start, each in the foreground on {port}; tests/servers/command.py has the details.
PATIENT := --timeout=600 -o faulthandler_timeout=1200

verify: $(VENV)/.dev $(VENV)/.node servers verifiers ## Run what does not fit in test, and all on NEWER_RABBITMQ and NEWER_REDIS
	$(PYTEST) -m "verify and not benchmark and not alone" --hypothesis-profile=verify $(PATIENT) $(PARALLEL) $(ARGS)
	$(PYTEST) -m alone $(PATIENT) $(ARGS)
	@if [ -z "$$NEWER_RABBITMQ" ] || [ -z "$$NEWER_REDIS" ]; then \
	  echo "Not verified on newer servers. Say how to start them, for example:" >&2; \
	  echo "  make verify NEWER_RABBITMQ='start-rabbitmq {port}' \\" >&2; \
	  echo "    NEWER_REDIS='redis-server --port {port} --dir {folder} --appendonly yes'" >&2; \
	  exit 1; \
	fi
	BROKER_ACTORS_TEST_RABBITMQ_COMMAND="$$NEWER_RABBITMQ" BROKER_ACTORS_TEST_REDIS_COMMAND="$$NEWER_REDIS" \
	  $(PYTEST) -m "not benchmark and not alone" $(PATIENT) $(PARALLEL) $(ARGS)
	BROKER_ACTORS_TEST_RABBITMQ_COMMAND="$$NEWER_RABBITMQ" BROKER_ACTORS_TEST_REDIS_COMMAND="$$NEWER_REDIS" \
	  $(PYTEST) -m alone $(PATIENT) $(ARGS)

bench: $(VENV)/.bench servers ## Measure, beside the raw client libraries and other systems, in about 20 minutes
	$(BIN)/python -m tests.benchmarks $(ARGS)

# Replay one that failed: .venv/bin/python -m tests.simulation --seed N
SEEDS := 20000
simulate: $(VENV)/.dev ## Run SEEDS=n simulated deployments in trouble, on all cores
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

# Replay one that failed: its seed is in its first line, so make soak MINUTES=10 ARGS="--seed N".
MINUTES := 10
soak: $(VENV)/.dev servers ## Run real workers on real servers for MINUTES=n while everything fails
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)

clean: ## Remove the environment and the caches
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

servers:
	@infra/install-servers

verifiers:
	@infra/install-verifiers

# The environment is made anew when pyproject.toml changed, so that nothing it dropped lingers.
$(VENV)/.made: pyproject.toml infra/make-venv
	infra/make-venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --editable '.[cli]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --editable '.[cli,dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[cli,dev,bench]'
	@touch $@

$(VENV)/.node: $(VENV)/.dev infra/install-node-client infra/node-client/package-lock.json
	infra/install-node-client $(VENV)
	@touch $@
