# Two commands: `make demo` and `make test`. Everything else is for the people who work on this.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.run
READY := $(VENV)/.dev

.PHONY: demo test thorough load pictures check bench bench-acs bench-connections bench-scim attack fuzz second-opinion lock docs clean

demo: $(INSTALLED)  ## start SiQ, a sample organization and the practice AWS identity provider
	@$(BIN)/siq demo

PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -rs
test: $(READY)  ## run the suite
	@$(PYTEST) -m "not thorough"

SAMPLES = tests/core/saml/test_second_opinion.py tests/core/testing/attacks/test_over_http.py
thorough: $(READY)  ## what takes long, and samples drawn large: 200 races, every byte, hundreds of mutations, killed servers
	@$(PYTEST) -m thorough $(addprefix --ignore=,$(SAMPLES)) tests
	@SIQ_TEST_RACES=200 SIQ_TEST_EXAMPLES=200 $(PYTEST) $(SAMPLES)

LOAD_SECONDS ?= 300
load: $(READY)  ## twenty directories for LOAD_SECONDS, some of them and the servers killed; then the tables are checked
	@$(BIN)/python -m tests.load --seconds $(LOAD_SECONDS)

pictures: $(READY)  ## a picture of every screen, in both themes at two widths, into var/pictures
	@mkdir -p var/pictures
	@SIQ_TEST_PICTURES=var/pictures $(BIN)/python -m pytest tests/browser/test_screens.py

check: $(READY)  ## style, types and the one-way imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: bench/.venv/.installed bench/node/node_modules/.ready  ## measure SAML verification against six other libraries (needs xmlsec1 and Node.js)
	@bench/.venv/bin/python -m bench.saml

POSTGRESQL ?=
bench-acs: bench/.venv/.installed  ## how many sign-ins a second the endpoint takes, on SQLite or an empty database POSTGRESQL=postgresql://… (Linux)
	@bench/.venv/bin/python -m bench.acs $(if $(POSTGRESQL),--postgresql $(POSTGRESQL))

bench-connections: bench/.venv/.installed  ## memory of 10,000 connections, and a sign-in beside them (Linux)
	@bench/.venv/bin/python -m bench.connections

bench-scim: $(READY) bench/node-scim/node_modules/.ready  ## measure SCIM requests with up to a million users, beside two others (needs Node.js, half an hour)
	@$(BIN)/python -m bench.scim $(if $(POSTGRESQL),--postgresql $(POSTGRESQL))

attack: $(READY)  ## every attack against both built-in plugins over HTTP, and 200 races of two processes
	@$(BIN)/siq plugin attack aws_sso --races 200
	@$(BIN)/siq plugin attack custom_saml

FUZZ_SECONDS ?= 3600
fuzz: .venv-fuzz/.ready  ## fuzz what reaches the signature gate, for FUZZ_SECONDS (Linux)
	@.venv-fuzz/bin/python -m tests.fuzz.run -max_total_time=$(FUZZ_SECONDS)

.venv-fuzz/.ready: requirements/fuzz.txt
	@test -x .venv-fuzz/bin/python || $(PYTHON) -m venv .venv-fuzz
	@.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

EXAMPLES ?= 3000
second-opinion: $(READY)  ## compare with pysaml2 on EXAMPLES mutations, and change every signed byte (needs xmlsec1)
	@SIQ_TEST_RANDOM=1 SIQ_TEST_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n 2 -rs tests/core/saml/test_second_opinion.py

bench/.venv/.installed: requirements/bench.txt pyproject.toml
	@test -x bench/.venv/bin/python || $(PYTHON) -m venv bench/.venv
	@bench/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@bench/.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

bench/node/node_modules/.ready: bench/node/package.json
	@bench/node/setup.sh
	@touch $@

bench/node-scim/node_modules/.ready: bench/node-scim/package.json
	@bench/node-scim/setup.sh
	@touch $@

$(INSTALLED): requirements/run.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes --no-deps -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(READY): $(INSTALLED) requirements/dev.txt
	@$(PIP) --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

COMPILE := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11

lock:  ## write requirements/*.txt anew (needs uv)
	$(COMPILE) pyproject.toml --extra build -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra build --extra dev -o requirements/dev.txt
	$(COMPILE) requirements/bench.in -o requirements/bench.txt
	$(COMPILE) pyproject.toml --extra build --extra fuzz -c requirements/run.txt -o requirements/fuzz.txt

docs: $(READY)  ## write the generated reference pages anew
	@$(BIN)/python -m core.reference docs/reference
	@$(BIN)/python -m core.testing.attacks.page docs/attacks.md

clean:
	rm -rf $(VENV) .venv-fuzz build *.egg-info
