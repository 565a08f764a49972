# `make demo` and `make test` are all that a newcomer needs; both set up .venv by themselves.

PYTHON ?= python3
# empty (make test EDITABLE=) tests the built package instead of the tree
EDITABLE ?= -e
DEMO_OUT ?= out/demo
BIN := .venv/bin
NATIVE_PYTHON ?= $(CURDIR)/$(BIN)/python
NATIVE_OPTIONS ?=
# the torch that test-torch installs: a release, or the newest that there is
TORCH ?= newest
TORCH_TESTS := tests/recording tests/test_torch_private.py tests/laws/test_many_at_once.py tests/laws/test_counting_laws.py

# An editable install sees Python sources as they are: only these ask for a new one.
INSTALL_INPUTS := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/* native/*/*)
ifeq ($(strip $(EDITABLE)),)
INSTALL_INPUTS += dist/.built
endif
KIND := $(if $(strip $(EDITABLE)),tree,wheel)
# $(call install,[dev]): the tree, or the wheel that was built of it, with what more it can do; pip leaves a wheel of the same
# version as it is
package = $(if $(strip $(EDITABLE)),-e '.$(1)',"$$(echo dist/spikeledger-*.whl)$(1)")
install = $(BIN)/python -m pip install -q -c constraints.txt $(call package,$(1)) \
  $(if $(strip $(EDITABLE)),,&& $(BIN)/python -m pip install -q --no-deps --force-reinstall dist/spikeledger-*.whl)
WHEEL_INPUTS := pyproject.toml CMakeLists.txt README.md $(wildcard native/* native/*/*) \
  $(shell find src -type f -not -path '*/__pycache__/*' -not -name '_native*.so')

# building outside pip needs its tools in .venv, but not where another Python is named
BUILD_TOOLS := $(if $(findstring $(CURDIR)/$(BIN)/,$(NATIVE_PYTHON)),.venv/.build-tools)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo live shell wheel web test test-all test-peers test-torch check format docs book notebook bench sanitize sanitize-address sanitize-thread native clean

help:  ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

demo: .venv/.demo-$(KIND)  ## train an ANN and its spiking twin on the digits, price both, write a report
	$(BIN)/spikeledger compare --data digits --epochs 20 --out $(DEMO_OUT)
	@test -s $(DEMO_OUT)/report.html
	@echo "The report is a page for your browser: $(abspath $(DEMO_OUT))/report.html"

shell: .venv/.demo-$(KIND)  ## a shell in which `spikeledger` and `python` are those of .venv
	@VIRTUAL_ENV="$(CURDIR)/.venv" PATH="$(CURDIR)/$(BIN):$$PATH" $${SHELL:-/bin/sh}

live: .venv/.demo-$(KIND)  ## a page in which both networks read digits, out/live.html
	@mkdir -p out
	$(BIN)/spikeledger live --out out/live.html
	@echo "The page is for your browser: $(CURDIR)/out/live.html"

wheel: dist/.built  ## build the wheel, and use it where nothing else is installed, on each instruction set of this processor
	rm -rf .venv-wheel && $(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install -q --only-binary :all: -c constraints.txt dist/spikeledger-*.whl
	$(call try,.venv-wheel)

# A network is trained from an empty folder, so that the tree is not seen, and with nothing on the path, so that no compiler is.
try = empty=$$(mktemp -d) && cd "$$empty" && python=$(CURDIR)/$(1)/bin/python && \
  for set in $$($$python -c 'from spikeledger.kernels.choice import native as core; print(*(core() and core().instruction_sets() or ["none"]))'); do \
    PATH= SPIKELEDGER_INSTRUCTION_SET=$$set $$python -m spikeledger train --data digits --epochs 1 --out $$set >$$set.txt && \
    tr '\n' ' ' <$$set.txt | grep -e "cpu ($$set)" -e "reference" || exit 1; \
  done && test -d "$$set" && rm -rf "$$empty"

dist/.built: $(WHEEL_INPUTS) | $(BIN)/python
	rm -rf dist
	$(BIN)/python -m pip wheel -q --no-deps -w dist .
	@touch $@

web: web/node_modules/.bin/esbuild  ## build the scripts of the live page and of the book's figures (needs npm; users do not)
	cd web && npm run -s check && npm run -s build

web/node_modules/.bin/esbuild: web/package.json
	cd web && npm install --no-audit --no-fund --no-package-lock --silent

test: .venv/.dev-$(KIND)  ## the fast tests
	$(BIN)/python -m pytest

test-all: .venv/.dev-$(KIND)  ## all tests, the slow ones too
	$(BIN)/python -m pytest -m ""

# nengo's plugin for pytest is of another pytest
test-peers: .venv/.peers  ## the tests beside other libraries, which are installed into .venv-peers
	.venv-peers/bin/python -m pytest -p no:nengo -m peer tests/peers

test-torch: dist/.built  ## the wheel, and the counter's tests, with another torch: make test-torch TORCH=2.4.1
	rm -rf .venv-torch-$(TORCH) && $(PYTHON) -m venv .venv-torch-$(TORCH)
	.venv-torch-$(TORCH)/bin/python -m pip install -q dist/spikeledger-*.whl "torch$(if $(filter-out newest,$(TORCH)),==$(TORCH))"
	$(call try,.venv-torch-$(TORCH))
	.venv-torch-$(TORCH)/bin/python -m pip install -q hypothesis pytest
	PYTHONPATH=tests .venv-torch-$(TORCH)/bin/python -m pytest -q -p no:cacheprovider $(TORCH_TESTS)

check: .venv/.dev-$(KIND)  ## format, lint, types, import direction, docs and their examples
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_house_imports.py tests/test_house_docs.py
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

format: .venv/.dev-$(KIND)  ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: .venv/.dev-$(KIND)  ## the book, as web pages
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	@echo "The book: $(CURDIR)/docs/_build/html/index.html"

book: docs  ## the book as web pages, EPUB and PDF (which needs Chromium)
	$(BIN)/sphinx-build -q -W --keep-going -b epub -D figures_are_still=1 -d docs/_build/read/epub docs docs/_build/epub
	$(BIN)/sphinx-build -q -W --keep-going -b singlehtml -d docs/_build/read/one docs docs/_build/one
	$(BIN)/python docs/pdf.py docs/_build/one/index.html docs/_build/spikeledger.pdf
	@echo "EPUB and PDF: $(CURDIR)/docs/_build/epub/SpikeLedger.epub, $(CURDIR)/docs/_build/spikeledger.pdf"

notebook: .venv/.dev-$(KIND)  ## the chip course as a notebook, out/neuro4ml.ipynb
	$(BIN)/python docs/percent.py docs/tutorials/neuro4ml.py out/neuro4ml.ipynb

bench: .venv/.dev-$(KIND)  ## the benchmarks: one question a file
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/sweep.py --out out/bench
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/convolution.py
	$(BIN)/python benchmarks/counting_cost.py

sanitize: sanitize-address sanitize-thread  ## the native code's tests under the address, undefined behaviour and thread sanitizers

SANITIZED_TESTS ?= tests/kernels tests/networks tests/chip tests/plasticity
# who waits while others hog the processors is a question of time, and time is another under sanitizers
UNSANITIZED := --ignore=tests/kernels/test_busy.py
# where threads share work; networks run the same kernels, and what learns by spikes runs on one thread
THREADED_TESTS ?= tests/kernels tests/chip
# torch is not built for them: what its own threads do among themselves is not looked at. The thread sanitizer wants
# addresses that are not shuffled, where a process may ask for that.
sanitize-address: KIND_OF = address,undefined
sanitize-address: UNDER = LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0
sanitize-thread: KIND_OF = thread
sanitize-thread: SANITIZED_TESTS = $(THREADED_TESTS)
sanitize-thread: UNDER = LD_PRELOAD="$$($(CXX) -print-file-name=libtsan.so)" TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:die_after_fork=0:exitcode=66 $$(setarch -R true 2>/dev/null && echo setarch -R)
sanitize-address sanitize-thread: $(BUILD_TOOLS)
	PATH="$$(dirname $$(command -v $(NATIVE_PYTHON))):$$PATH" cmake -S . -B build/$@ -G Ninja -DCMAKE_BUILD_TYPE=Release -DSPIKELEDGER_NATIVE=ON \
	  -DPython_EXECUTABLE=$$(command -v $(NATIVE_PYTHON)) -Dnanobind_DIR=$$($(NATIVE_PYTHON) -m nanobind --cmake_dir) \
	  -DSPIKELEDGER_SANITIZE=$(KIND_OF)
	cmake --build build/$@
	rm -rf build/$@/spikeledger && cp -r src/spikeledger build/$@/ && rm -f build/$@/spikeledger/*/_native*
	cp build/$@/_native*.so build/$@/spikeledger/kernels/ && cp build/$@/chip/_native*.so build/$@/spikeledger/chip/
	cp build/$@/plasticity/_native*.so build/$@/spikeledger/plasticity/
	$(UNDER) env OMP_NUM_THREADS=2 PYTHONPATH=build/$@ $(NATIVE_PYTHON) -m pytest -q -p no:cacheprovider $(UNSANITIZED) $(SANITIZED_TESTS)

native: $(BUILD_TOOLS)  ## build the native core into the tree, with NATIVE_PYTHON (it needs nanobind)
	PATH="$$(dirname $$(command -v $(NATIVE_PYTHON))):$$PATH" cmake -S . -B build/native -G Ninja -DCMAKE_BUILD_TYPE=Release -DSPIKELEDGER_NATIVE=ON \
	  -DPython_EXECUTABLE=$$(command -v $(NATIVE_PYTHON)) -Dnanobind_DIR=$$($(NATIVE_PYTHON) -m nanobind --cmake_dir) $(NATIVE_OPTIONS)
	cmake --build build/native
	cp build/native/_native*.so src/spikeledger/kernels/
	cp build/native/chip/_native*.so src/spikeledger/chip/
	cp build/native/plasticity/_native*.so src/spikeledger/plasticity/

clean:  ## remove what was built and measured; .venv too
	rm -rf .venv .venv-peers .venv-wheel .venv-torch-* build dist out docs/_build .pytest_cache .hypothesis .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. A stamp says what .venv holds: the demo's needs or everything (dev), and the tree or the built package.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "SpikeLedger needs Python 3.11 or later; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.build-tools: .venv/.dev-$(KIND)
	$(BIN)/python -m pip install -q -c constraints.txt cmake nanobind ninja
	@touch $@

# The peers pin each other's dependencies apart, and some would bring torch anew: theirs are named here, without asking them.
.venv/.peers: dist/.built
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -q -c constraints.txt "$$(echo dist/spikeledger-*.whl)[test]"
	.venv-peers/bin/python -m pip install -q h5py loguru pandas pbr progress tqdm
	.venv-peers/bin/python -m pip install -q --no-deps snntorch==1.0.0 spikingjelly==2.0.0 norse==1.1.0 sinabs==3.1.3 \
	  nir==1.0.8 nirtorch==2.6 neurobench==2.3.0 nengo==4.1.0
	@touch $@

.venv/.demo-$(KIND): $(INSTALL_INPUTS) | $(BIN)/python
	@echo "Setting up .venv: the first time takes some minutes, most of it torch"
	$(call install)
	@rm -f .venv/.*-tree .venv/.*-wheel && touch $@

.venv/.dev-$(KIND): $(INSTALL_INPUTS) | $(BIN)/python
	@echo "Setting up .venv with what tests and docs need: the first time takes some minutes, most of it torch"
	$(call install,[dev])
	@rm -f .venv/.*-tree .venv/.*-wheel && touch .venv/.demo-$(KIND) $@
