# Two commands: `make demo` and `make test`. Everything else is for the people who work on this.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench lock docs clean

demo: $(READY)  ## start SiQ, a sample organization and the practice AWS identity provider
	@$(BIN)/siq demo

test: $(READY)  ## run the whole suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile -rs

check: $(READY)  ## style, types and the one-way imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: bench/.venv/.ready  ## measure SAML verification against python3-saml and pysaml2 (needs xmlsec1)
	@bench/.venv/bin/python -m bench.saml

bench/.venv/.ready: requirements/bench.txt
	@test -x bench/.venv/bin/python || $(PYTHON) -m venv bench/.venv
	@bench/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(READY): requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock:  ## write requirements/*.txt anew from pyproject.toml (needs uv)
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.txt

docs: $(READY)  ## write the generated reference pages and pictures anew
	@$(BIN)/python -m core.reference docs/reference

clean:
	rm -rf $(VENV) build *.egg-info
