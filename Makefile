# Two commands for everybody: `make demo` and `make test`. Both set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt
SETTINGS := pyproject.toml constraints.txt

.PHONY: demo test test-all check wheel-test benchmarks imagej image-test clean

demo: .venv/installed-demo
	$(BIN)/python examples/demo.py demo

test: .venv/installed-all
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# The same, with the tests that take minutes each.
test-all: .venv/installed-all
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile -m "slow or not slow"

check: .venv/installed-all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Builds the wheel and uses it in an environment of its own, away from the sources.
wheel-test: .venv/installed-all
	$(BIN)/python -m build --wheel --outdir dist --no-isolation
	bash tests/wheel_test.sh

# The ImageJ plugin; the wheel, the container and a server in this checkout then have it.
imagej:
	bash clients/imagej/build.sh
	mkdir -p src/scopezoo/clients
	cp clients/imagej/build/scopezoo_imagej.jar src/scopezoo/clients/

image-test:
	deploy/image_test.sh

NEED_DATA = benchmarks/bench_careamics.py benchmarks/bench_finetuning.py  # their docstrings say which

benchmarks: .venv/installed-all
	for script in $(filter-out $(NEED_DATA),$(wildcard benchmarks/bench_*.py)); do $(BIN)/python $$script || exit 1; done

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed-demo: .venv/bin/python $(SETTINGS)
	$(PIP) --editable ".[stardist]"
	touch $@

# torch first and pinned: any other choice of the installer brings gigabytes of GPU libraries.
.venv/installed-all: .venv/bin/python $(SETTINGS)
	$(PIP) torch
	$(PIP) --editable ".[datasets,dev,napari,openvino,remote,stardist,torch,train]"
	touch $@ .venv/installed-demo

clean:
	rm -rf .venv build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
