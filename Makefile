# Each target sets up its own environment the first time and works offline afterwards.
PY      := .venv/bin/python
STAMP   := .venv/.ready
MODELS  := .venv/.models
CORES   := $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo test check fix bench clean setup models

demo: $(STAMP)
	$(PY) -m flowgauge demo

# Two workers with one thread each are faster on two cores than one worker with two.
test: $(STAMP) $(MODELS)
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -n $(CORES) --dist worksteal

check: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

fix: $(STAMP)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# make bench            every benchmark, quickly
# make bench NAME=x     one, in full: writes benchmarks/x/result.json
bench: $(STAMP) $(MODELS)
ifdef NAME
	$(PY) benchmarks/$(NAME)/run.py
else
	for b in benchmarks/*/run.py; do $(PY) $$b --quick --json || exit 1; done
endif

setup: $(STAMP)
models: $(MODELS)

$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# Real weights of the tests: downloaded and converted once into the user's cache.
$(MODELS): $(STAMP)
	$(PY) -m flowgauge models --fetch smollm2-135m
	$(PY) -m flowgauge models --fetch gemma-3-270m
	touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
