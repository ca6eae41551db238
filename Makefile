# Every target sets itself up in .venv, from nothing but Python (3.11 or newer), pip and make.
PYTHON ?= python3
OLDEST_JAX := $(shell sed -n 's/^dependencies = \["jax>=\(.*\)"\]/\1/p' pyproject.toml)
RUN := .venv/bin/python -m
# Compiles in half the time what has no need of XLA's optimisations.
FAST := XLA_FLAGS="--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"

.PHONY: demo test test-oldest lint format docs notebooks clean

demo: .venv/ready
	.venv/bin/python notebooks/run.py notebooks/quickstart.ipynb

test: .venv/ready
	$(RUN) pytest -n auto --dist worksteal -m as_users_compile tests/test_contract.py
	$(FAST) $(RUN) pytest -n auto --dist worksteal -m "not as_users_compile" tests/test_contract.py
	$(RUN) pytest -n auto --dist worksteal --cov --cov-report=term --ignore=tests/test_contract.py
	$(RUN) pytest -n auto --dist worksteal --nbmake notebooks -p no:cacheprovider --override-ini=testpaths=notebooks

test-oldest: .venv-oldest/ready
	.venv-oldest/bin/python -m pytest -n auto --dist worksteal --sample tests/test_contract.py -k "through or trace or mapped or pmap or shard or export or checked or second"

lint: .venv/ready
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) pyright

format: .venv/ready
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

docs: .venv/ready
	$(RUN) sphinx --fail-on-warning --keep-going --nitpicky --fresh-env --quiet -c docs -d build/doctrees . build/docs

notebooks: .venv/ready
	$(RUN) jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb

.venv/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python .venv/bin/python install --quiet --editable '.[dev]'
	touch $@

.venv-oldest/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv-oldest
	$(PYTHON) -m pip --python .venv-oldest/bin/python install --quiet --editable '.[test]' jax==$(OLDEST_JAX) jaxlib==$(OLDEST_JAX)
	touch $@

clean:
	rm -rf .venv .venv-oldest build docs/api .coverage .pytest_cache .ruff_cache .hypothesis
