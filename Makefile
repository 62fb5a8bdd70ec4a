# Everything a developer or an administrator types. `make` alone lists it.
# VENV chooses the environment's folder, PYTHON the interpreter it is made from.

VENV ?= .venv
PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python,$(if $(shell $(p) -c 'import sys, venv, ensurepip; print(sys.version_info >= (3, 11) or "")' 2>/dev/null | grep True),$(p))))
UV := $(shell command -v uv 2>/dev/null)
BIN := $(VENV)/bin
TESTS ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

# The servers of `make test-server`.
SQ_TEST_DATABASE_URL ?= postgresql://postgres@127.0.0.1:5432/sqcore
SQ_TEST_REDIS_URL ?= redis://127.0.0.1:6379/15
SQ_TEST_AMQP_URL ?= amqp://guest:guest@127.0.0.1:5672//

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run own test test-slow test-server e2e bench check lock messages openapi clean
.SUFFIXES:

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- The environment -----------------------------------------------------------------------------
# A stamp says that the environment has what the requirements name; with it the next start is quick.
setup: $(VENV)/.ready ## make the environment alone (uv where it is, else pip)
setup-dev: $(VENV)/.ready-dev ## the environment with what tests and checks need

# uv installs in seconds what takes pip a minute: it is taken from PATH, else as the pinned and
# hashed wheel that requirements-dev.txt names. Where it cannot be had, or cannot reach what pip is
# configured to reach, pip does it.
define install
	@uv="$(UV)"; \
	if [ -z "$$uv" ]; then \
		uv=$(BIN)/uv; [ -x $$uv ] || { \
			sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > $(VENV)/uv.txt; \
			$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
				--no-deps --only-binary uv -r $(VENV)/uv.txt || uv=false; }; \
	fi; \
	"$$uv" pip install --quiet --python $(BIN)/python -r $(1) || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1)
endef

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "SQCore needs Python 3.11 or newer with venv (Debian: apt install python3-venv)." >&2; exit 1; fi
	@echo "Making the environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt | $(BIN)/python
	@echo "Installing what SQCore needs"
	$(call install,requirements.txt)
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	@echo "Installing what tests and checks need"
	$(call install,requirements-dev.txt)
	@touch $@

# ---- Running -------------------------------------------------------------------------------------
run: setup ## the demo on http://127.0.0.1:8000 (PORT=8001 for another port)
	@SQ_HOME=$${SQ_HOME:-var/demo} $(BIN)/python manage.py up --demo --host $(HOST) --port $(PORT)

own: setup ## SQCore with data of your own
	@$(BIN)/python manage.py up --host $(HOST) --port $(PORT)

# ---- Tests ---------------------------------------------------------------------------------------
test: setup-dev ## the test suite but for its slow tests (TESTS=path for a part of it)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not e2e and not server and not slow" $(TESTS)

test-slow: setup-dev ## the slow tests: processes killed at work, the demo's truths
	@$(BIN)/python -m pytest -m "slow and not e2e and not server" $(TESTS)

test-server: setup-dev ## the suite on PostgreSQL, the background on Redis and on RabbitMQ
	@echo "PostgreSQL and Redis"
	@SQ_TEST_DATABASE_URL=$(SQ_TEST_DATABASE_URL) SQ_TEST_BROKER_URL=$(SQ_TEST_REDIS_URL) \
		$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not e2e" $(TESTS)
	@echo "PostgreSQL and RabbitMQ"
	@SQ_TEST_DATABASE_URL=$(SQ_TEST_DATABASE_URL) SQ_TEST_BROKER_URL=$(SQ_TEST_AMQP_URL) \
		$(BIN)/python -m pytest -m server $(TESTS)

e2e: setup-dev ## walk the product in Chromium (CHROMIUM=path)
	@$(BIN)/python -m pytest -m e2e -p no:randomly $(TESTS)

bench: setup-dev ## timed scenarios beside their limits
	@$(BIN)/python -m benchmarks

# ---- Checks --------------------------------------------------------------------------------------
MANAGE = DJANGO_SETTINGS_MODULE=sqcore.project.settings.test $(BIN)/python manage.py
SERVER_EXAMPLE = SQ_MODE=server SQ_HOME=$(CURDIR)/var/check \
	SQ_SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') \
	SQ_BASE_URL=https://quality.example.org SQ_BROKER_URL=redis://127.0.0.1 \
	SQ_DATABASE_URL=postgresql://sqcore@127.0.0.1/sqcore

check: setup-dev ## style, types, layers, migrations, translations, API schema, deployment settings
	@echo "ruff";             $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@echo "mypy";             $(BIN)/mypy --no-error-summary
	@echo "lint-imports";     $(BIN)/lint-imports --no-cache > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; false; }
	@echo "migrations";       $(MANAGE) makemigrations --check --dry-run
	@echo "translations";     $(BIN)/python locale/messages.py --check
	@echo "OpenAPI";          $(MANAGE) spectacular --validate --fail-on-warn --file $(VENV)/openapi.yaml && \
		{ cmp -s $(VENV)/openapi.yaml docs/api/openapi.yaml || { echo "docs/api/openapi.yaml is out of date: make openapi"; false; }; }
	@echo "check --deploy";   $(SERVER_EXAMPLE) $(BIN)/python manage.py check --deploy --fail-level INFO > /dev/null

openapi: setup-dev ## write docs/api/openapi.yaml anew
	@$(MANAGE) spectacular --validate --fail-on-warn --file docs/api/openapi.yaml

messages: setup-dev ## collect and compile the interface texts
	@$(BIN)/python locale/messages.py

lock: ## compile pyproject.toml into requirements.txt and requirements-dev.txt
	@for extra in "" dev; do \
		out=requirements$${extra:+-$$extra}.txt; \
		{ echo "# Compiled from pyproject.toml by \`make lock\`, for Python 3.11 and newer."; \
		$(or $(UV),$(BIN)/uv) pip compile pyproject.toml $${extra:+--extra $$extra} --universal --python-version 3.11 \
			--generate-hashes --no-annotate --no-header --no-config --quiet $(LOCK_OPTIONS); } > $$out.new && mv $$out.new $$out; \
	done

clean: ## remove the environment and what tools left; data homes under var/ stay
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache var/check
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
