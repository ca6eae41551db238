# Every target sets itself up in .venv, from nothing but Python (3.11 or newer), pip and make.
PYTHON ?= python3
OLDEST_JAX := $(shell sed -n 's/^dependencies = \["jax>=\(.*\)"\]/\1/p' pyproject.toml)
RUN := .venv/bin/python -m
# Compiles in half the time what has no need of XLA's optimisations.
FAST := XLA_FLAGS="--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"

.PHONY: demo test test-oldest package fuzz lint format docs notebooks bench bench-all clean

demo: .venv/ready
	.venv/bin/python notebooks/run.py notebooks/quickstart.ipynb

test: .venv/ready
	$(RUN) pytest -n auto --dist worksteal -m as_users_compile --cov --cov-fail-under=0 --cov-report=
	$(FAST) $(RUN) pytest -n auto --dist worksteal -m "not as_users_compile" --cov --cov-append --cov-report=term
	$(RUN) pytest -n auto --dist worksteal --nbmake notebooks -p no:cacheprovider --override-ini=testpaths=notebooks

test-oldest: .venv-oldest/ready
	$(FAST) .venv-oldest/bin/python -m pytest -n auto --dist worksteal --sample tests/test_contract.py -k "through or trace or mapped or pmap or shard or export or checked or second"

# At least 100,000 examples for each module of the package, in less than an hour.
fuzz: .venv/ready
	$(FAST) FUZZ_EXAMPLES=100000 $(RUN) pytest -n auto --dist worksteal tests/test_fuzz.py

# What users get: the wheel with and without an extra and the source, in environments that hold nothing else.
package: .venv/ready
	rm -rf build/package
	$(RUN) build --quiet --outdir build/package
	for what in "$$(ls build/package/*.whl)" "$$(ls build/package/*.whl)[plotting]" "$$(ls build/package/*.tar.gz)" \
	    "$$(ls build/package/*.whl) jax==$(OLDEST_JAX) jaxlib==$(OLDEST_JAX)"; do \
	  rm -rf build/package/venv && $(PYTHON) -m venv --without-pip build/package/venv && \
	  $(PYTHON) -m pip --python build/package/venv/bin/python install --quiet $$what && \
	  build/package/venv/bin/python -I tests/installed.py || exit 1; \
	done

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

bench: .venv-bench/ready
	.venv-bench/bin/python benchmarks/losses.py $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))

# The other tables in benchmarks/results/ as well.
bench-all: bench .venv/ready
	.venv/bin/python benchmarks/compiling.py
	.venv/bin/python benchmarks/scaling.py
	.venv-bench/bin/python benchmarks/linear_cross_entropy.py
	.venv-bench/bin/python benchmarks/linear_cross_entropy.py --dtype bfloat16

.venv/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python .venv/bin/python install --quiet --editable '.[dev]'
	touch $@

.venv-oldest/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv-oldest
	$(PYTHON) -m pip --python .venv-oldest/bin/python install --quiet --editable '.[test]' jax==$(OLDEST_JAX) jaxlib==$(OLDEST_JAX)
	touch $@

.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv-bench
	$(PYTHON) -m pip --python .venv-bench/bin/python install --quiet --editable '.[bench]'
	touch $@

clean:
	rm -rf .venv .venv-oldest .venv-bench build docs/api .coverage .pytest_cache .ruff_cache .hypothesis
