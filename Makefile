# `make run` and `make test` need only Python 3.11, pip and make: everything else goes into .venv.
PYTHON ?= python3.11
PIP_INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
RUN = .venv/bin/python -m platform.tune

.PHONY: run test test-all lint bench format clean

run: .venv/installed            ## the main job: race recommenders on users fitted to a real log
	$(RUN)

lesson-%: .venv/installed       ## a chapter of docs/path: its experiments, and its figures drawn anew
	$(RUN) --chapter $* --figures docs/path/figures

test: .venv/installed           ## everything that takes less than half a minute
	.venv/bin/python -m pytest

test-all: .venv/installed       ## the long ones too
	.venv/bin/python -m pytest -m ""

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/mypy envs custom_algos platform

format: .venv/installed
	.venv/bin/ruff check --fix .

bench: .venv/peers              ## speed, with ratios from one run; keep the machine quiet
	OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench.py

.venv/installed: pyproject.toml constraints.txt platform_startup.pth _platform_startup.py
	test -d .venv || $(PYTHON) -m venv .venv
	@echo "installing into .venv (see the README for the size of the download) …"
	$(PIP_INSTALL) torch==2.13.0
	$(PIP_INSTALL) -e ".[dev]"
	@touch $@

.venv/peers: .venv/installed
	@echo "installing the peers that the benchmarks run beside ours …"
	$(PIP_INSTALL) -e ".[bench]"
	@touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache dist build
