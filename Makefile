# Every target sets itself up in .venv, from nothing but Python (3.11 or newer), pip and make. `make test
# PYTHON=python3.13 VENV=.venv-3.13` takes another Python, and with it maybe a newer JAX.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python -m
TESTS = $(RUN) pytest -n auto --dist worksteal
OLDEST_JAX := $(shell sed -n 's/^dependencies = \["jax>=\(.*\)"\]/\1/p' pyproject.toml)
# The Python here that gets the newest JAX: one on the path that runs, or one of pyenv's, whose shims may not.
NEWEST_PYTHON := $(shell for minor in 13 12; do \
    for python in python3.$$minor $$(ls -d "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.$$minor.*/bin/python 2>/dev/null); do \
      "$$python" -m pip --version >/dev/null 2>&1 && echo "$$python" && exit; \
    done; done)

.PHONY: demo test test-all test-part test-oldest test-newest update mutants package fuzz lint format docs notebooks bench bench-all bench-accelerators clean

demo: $(VENV)/ready
	$(VENV)/bin/python notebooks/run.py notebooks/quickstart.ipynb

# Every rule, on every row that can tell something new of it.
test: $(VENV)/ready
	$(TESTS) --quickly -m "not exhaustive" $(COVERAGE)

# And every rule on every row, the notebooks, and no line or branch of the package that `make test` leaves out. With
# ROWS=--sample, as CI takes it, a sixth of what `make test` leaves out, of rows that of the first one of a module.
test-all: COVERAGE = --cov
test-all: test
	$(TESTS) $(ROWS) -m "exhaustive or as_users_compile"
	$(TESTS) --nbmake notebooks -p no:cacheprovider --override-ini=testpaths=notebooks

# What JAX could change, on the first row of each module.
PART = pytest -n auto --dist worksteal --sample -m "not exhaustive" tests/contract/test_contract.py tests/contract/test_transforms.py

test-part: $(VENV)/ready
	$(RUN) $(PART)

test-oldest: .venv-oldest/ready
	.venv-oldest/bin/python -m $(PART)

# On the newest JAX: `make test`, or with `make newest-NAME` any other of these; CI takes `newest-test-part`.
test-newest: newest-test

newest-%:
	$(if $(NEWEST_PYTHON),$(MAKE) $* VENV=.venv-newest PYTHON="$(NEWEST_PYTHON)",\
	  @echo "No Python 3.12 or 3.13 here: only the JAX that $(PYTHON) gets is tested.")

# Writes what follows from the functions, their export lines and their rows; a test says when it has to.
update: $(VENV)/ready
	$(RUN) docs.update

# Faults put into the package, one at a time, which the tests must see: the table of docs/matrix.md.
mutants: $(VENV)/ready
	$(VENV)/bin/python -m tests.project.mutants

# At least 100,000 examples for each module of the package, in less than an hour.
fuzz: $(VENV)/ready
	FUZZ_EXAMPLES=100000 $(TESTS) tests/contract/test_fuzz.py

# What users get: the wheel with and without an extra and the source, in environments that hold nothing else.
package: $(VENV)/ready
	rm -rf build/package
	$(RUN) build --quiet --outdir build/package
	try() { rm -rf build/package/venv && $$1 -m venv --without-pip build/package/venv && \
	  $$1 -m pip --python build/package/venv/bin/python install --quiet $$2 && \
	  build/package/venv/bin/python -I tests/project/installed.py; }; \
	wheel=$$(ls build/package/*.whl) && \
	try $(PYTHON) "$$wheel" && try $(PYTHON) "$$wheel[plotting]" && try $(PYTHON) "$$(ls build/package/*.tar.gz)" && \
	try $(PYTHON) "$$wheel jax==$(OLDEST_JAX) jaxlib==$(OLDEST_JAX)" $(if $(NEWEST_PYTHON),&& try "$(NEWEST_PYTHON)" "$$wheel")

lint: $(VENV)/ready
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) pyright --pythonpath $(VENV)/bin/python

format: $(VENV)/ready
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

docs: $(VENV)/ready
	$(RUN) sphinx --fail-on-warning --keep-going --nitpicky --fresh-env --quiet -c docs -d build/doctrees . build/docs

notebooks: $(VENV)/ready
	$(RUN) jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb

bench: .venv-bench/ready
	.venv-bench/bin/python benchmarks/losses.py $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))
	$(if $(ONLY),,.venv-bench/bin/python benchmarks/glance.py)

# The other tables in benchmarks/results/ as well.
bench-all: bench $(VENV)/ready
	$(VENV)/bin/python benchmarks/compiling.py
	$(VENV)/bin/python benchmarks/scaling.py
	.venv-bench/bin/python benchmarks/linear_cross_entropy.py
	.venv-bench/bin/python benchmarks/linear_cross_entropy.py --dtype bfloat16

# What XLA compiles for TPUs, and for an H100 where CUDA's plugin is in that environment; nothing runs on any.
bench-accelerators: .venv-accelerators/ready
	.venv-accelerators/bin/python benchmarks/accelerators.py $(if $(ONLY),--only '$(ONLY)') \
	  $(if $(TARGETS),--targets $(TARGETS)) $(if $(DTYPES),--dtypes $(DTYPES))
	$(if $(ONLY),,.venv-accelerators/bin/python benchmarks/glance.py)

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip $(VENV)
	$(PYTHON) -m pip --python $(VENV)/bin/python install --quiet --editable '.[dev]'
	touch $@

.venv-oldest/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv-oldest
	$(PYTHON) -m pip --python .venv-oldest/bin/python install --quiet --editable '.[test]' jax==$(OLDEST_JAX) jaxlib==$(OLDEST_JAX)
	touch $@

.venv-bench/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv-bench
	$(PYTHON) -m pip --python .venv-bench/bin/python install --quiet --editable '.[bench]'
	touch $@

# For the H100 as well: $(PYTHON) -m pip --python .venv-accelerators/bin/python install 'jax[cuda12]'
.venv-accelerators/ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .venv-accelerators
	$(PYTHON) -m pip --python .venv-accelerators/bin/python install --quiet --editable '.[accelerators]'
	touch $@

clean:
	rm -rf .venv .venv-* build docs/api .coverage .pytest_cache .ruff_cache .hypothesis
