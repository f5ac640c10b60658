# `make run` and `make test` need only Python 3.11, pip and make: everything else goes into .venv.
PYTHON ?= python3.11
PIP = -m pip install --quiet --disable-pip-version-check -c constraints.txt
RUN = .venv/bin/python -m platform.tune
# test-py: the newest other Python that is found, and what the leaves and their tests import
OTHER_PYTHON ?= $(firstword $(foreach v,3.14 3.13 3.12,$(shell python$(v) -c "import sys; print(sys.executable)" 2> /dev/null)))
LEAVES = numpy numba gymnasium pandas pyarrow safetensors scipy pytest pytest-timeout hypothesis

.PHONY: run test test-all test-py lint bench fuzz format reference clean

run: .venv/installed            ## the main job: race recommenders on users fitted to a real log
	$(RUN)

lesson-%: .venv/installed       ## a chapter of docs/path: its experiments, and its figures drawn anew
	$(RUN) --chapter $* --figures docs/path/figures

test: .venv/installed           ## everything that takes less than half a minute, on all cores
	.venv/bin/python -m pytest -n auto --dist worksteal

test-all: .venv/installed       ## the long ones too
	.venv/bin/python -m pytest -m ""

test-py:                        ## the leaves' tests that need no torch, on another Python, in .venv-py (without Ray and torch)
ifeq ($(OTHER_PYTHON),)
	@echo "no other Python was found: install python3.12 or newer, or name one with OTHER_PYTHON=…"
else
	test -d .venv-py || $(OTHER_PYTHON) -m venv .venv-py
	.venv-py/bin/python $(PIP) $(LEAVES)
	.venv-py/bin/python -m pytest $$(grep -rLE "import torch|_network|platform" --include="test_*.py" tests/envs tests/custom_algos) -k "not neural"
endif

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/mypy envs custom_algos platform

format: .venv/installed
	.venv/bin/ruff check --fix .

bench: .venv/peers              ## speed, with ratios from one run; keep the machine quiet
	OMP_NUM_THREADS=1 .venv/bin/python benchmarks/bench.py

fuzz: .venv/installed           ## broken experiment files, logs and checkpoints: each is read or refused in a sentence
	.venv/bin/python benchmarks/fuzz.py

reference: .venv/installed      ## the generated parts of docs/ and README.md
	.venv/bin/python docs/generate.py

.venv/installed: pyproject.toml constraints.txt platform_startup.pth _platform_startup.py
	test -d .venv || $(PYTHON) -m venv .venv
	@echo "installing into .venv (see the README for the size of the download) …"
	.venv/bin/python $(PIP) torch==2.13.0
	.venv/bin/python $(PIP) -e ".[dev]"
	@touch $@

.venv/peers: .venv/installed
	@echo "installing the peers that the benchmarks run beside ours …"
	.venv/bin/python $(PIP) -e ".[bench]"
	@touch $@

clean:
	rm -rf .venv .venv-py .pytest_cache .mypy_cache .ruff_cache dist build
