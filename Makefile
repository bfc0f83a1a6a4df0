# Every target does its own set-up: a virtual environment in .venv, everything else in build/.
#
#   make PYTHON=python3.12 test     with another Python (after make distclean)

.NOTPARALLEL:
PYTHON ?= python3
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := $(CURDIR)/.venv
# cmake, ninja and the linters are those of .venv.
export PATH := $(VENV)/bin:$(PATH)
STAMPS := $(VENV)/stamps
# Of the quick tests: NumPy, pytest and the package.
QUICK := $(CURDIR)/.venv-quick
DOCS := $(CURDIR)/.venv-docs
CORE := CMakeLists.txt pyproject.toml $(shell find csrc cmake -type f)
CXX_SOURCES := $(shell find csrc tests/cpp benchmarks/cpp benchmarks/cuda -name '*.[ch]pp' -o -name '*.cu' -o -path '*/emulated/*.h')

.PHONY: help
help: ## Show this list
	@echo "make TARGET, where TARGET is one of"
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18 | sed 's/^/  /'

# ---- What people run ---------------------------------------------------------------------------
# ctest runs as many tests at once as there are processors: most tests have one or two threads.

.PHONY: demo test build-cpp test-cpp test-python test-quick coverage coverage-cpp test-sanitizers test-tsan test-clang test-oldest fuzz lint format wheel wheel-cuda wheel-aarch64 release-check check-cuda bench bench-tables bench-estimators bench-cpp docs
demo: $(STAMPS)/demo ## Train two small networks on digits and watch their hidden layer
	$(VENV)/bin/python examples/digits_training.py $(DEMO_ARGS)

# pip installs what the Python tests need while the C++ tests are compiled.
test: $(STAMPS)/build build/third_party.stamp ## Build everything and run all tests
	@$(MAKE) $(STAMPS)/test >build/set-up.log 2>&1 & set_up=$$!; \
	  $(MAKE) build-cpp || { kill $$set_up; exit 1; }; \
	  wait $$set_up || { cat build/set-up.log; exit 1; }
	$(MAKE) test-cpp test-python

build-cpp: build/release/build.ninja
	cmake --build --preset release

test-cpp: build-cpp ## Run the C++ tests
	ctest --preset release --parallel $$(nproc) $(CTEST_ARGS)

# With the CUDA plug-in for the emulated device where test-cpp has built it. Two processes run the
# tests file by file: half of the tests use one processor only. A test that hangs ends its process
# after ten minutes, which shows where each thread stands; another process goes on.
test-python: $(STAMPS)/test ## Run the Python tests
	PYTHONPATH=build/release/python $(VENV)/bin/python -m pytest -n 2 --dist loadfile --timeout 600 --timeout-method thread $(PYTEST_ARGS)

test-quick: $(QUICK)/stamps/quick ## Run the Python tests that need NumPy and pytest only
	$(QUICK)/bin/python -m pytest --quick $(PYTEST_ARGS)

# Line by line; COVERAGE_ARGS="tests/spectra" for less than all tests.
coverage: $(STAMPS)/coverage ## Print which lines of the package no Python test reaches
	PYTHONPATH=build/release/python $(VENV)/bin/python -m pytest --cov --cov-report=term-missing:skip-covered $(COVERAGE_ARGS)

test-sanitizers: build/asan-ubsan/build.ninja ## Run the C++ tests with address and UB sanitizers
	cmake --build --preset asan-ubsan
	ctest --preset asan-ubsan --parallel $$(nproc) $(CTEST_ARGS)

# GCC 12's thread sanitizer wants addresses that are not spread too far.
fixed_addresses := $(shell setarch -R true 2>/dev/null && echo setarch -R)

test-tsan: build/tsan/build.ninja ## Run the threaded C++ tests with the thread sanitizer
	$(fixed_addresses) cmake --build --preset tsan
	$(fixed_addresses) ctest --preset tsan --parallel $$(nproc) $(CTEST_ARGS)

.PHONY: clang-is-there
clang-is-there:
	@command -v clang++ >/dev/null || { echo "error: clang++ is missing: apt install clang libc++-dev libc++abi-dev" >&2; exit 1; }

# Everything but the emulated GPU; the Python module says which compiler has built it.
test-clang: clang-is-there $(STAMPS)/clang build/clang/build.ninja build/clang-libcxx/build.ninja ## Build with clang, with libstdc++ and with libc++, and run the C++ tests
	for preset in clang clang-libcxx; do \
	  cmake --build --preset $$preset || exit; \
	  ctest --preset $$preset --parallel $$(nproc) $(CTEST_ARGS) || exit; \
	  $(VENV)/bin/python -I scripts/check_module.py build/$$preset/csrc/bindings/cpu Clang || exit; \
	done

# OLDEST_EXTRAS=torch,... for more extras; the oldest PyTorch is a large download.
OLDEST_EXTRAS ?= cluster,baselines,plot,tables
test-oldest: $(STAMPS)/pip build/as-installed.stamp ## Run the quick tests with the oldest NumPy and others that pyproject.toml allows
	scripts/test_oldest.sh $(OLDEST_EXTRAS)

FUZZ_SECONDS ?= 30
fuzz: clang-is-there build/fuzz/build.ninja ## Feed the C++ core with inputs that libFuzzer finds, FUZZ_SECONDS for each fuzzer; needs clang
	cmake --build --preset fuzz
	scripts/run_fuzzers.sh $(FUZZ_SECONDS)

coverage-cpp: build/coverage/build.ninja ## Print which lines of csrc/ the C++ tests run
	cmake --build --preset coverage
	find build/coverage -name '*.gcda' -delete
	ctest --preset coverage --parallel $$(nproc) $(CTEST_ARGS)
	$(VENV)/bin/python scripts/cpp_coverage.py build/coverage

# mypy sees the same packages everywhere: those of the tests.
lint: $(STAMPS)/lint $(STAMPS)/test ## Run the linters and the type checker
	ruff check .
	ruff format --check .
	mypy
	@clang-format --dry-run --Werror $(CXX_SOURCES)
	vermin --quiet --target=3.10- --no-tips --no-parse-comments --backport typing --violations python/eigentropy packaging
	actionlint
	zizmor --quiet --offline --min-severity medium .github/workflows

format: $(STAMPS)/lint ## Format the sources
	ruff check --fix .
	ruff format .
	clang-format -i $(CXX_SOURCES)

wheel: $(STAMPS)/wheel ## Build the wheel into dist/ and test it in an empty environment
	scripts/build_wheel.sh

wheel-cuda: wheel ## Build the plug-in wheel for CUDA 13 and test it; needs nvcc, but no GPU
	scripts/build_cuda_wheel.sh

wheel-aarch64: $(STAMPS)/wheel-aarch64 build/third_party.stamp ## Cross-compile the wheel for aarch64 and test it under qemu; needs g++-aarch64-linux-gnu and qemu-user
	scripts/build_aarch64_wheel.sh

# RELEASE_ARGS="--tag v1.2.3" checks for a release of that version.
release-check: wheel $(STAMPS)/release ## Check version, changelog, contents and licences of what a release has, and write its SBOM
	rm -f dist/eigentropy-*.tar.gz dist/eigentropy-*.cdx.json
	$(VENV)/bin/python -m build --quiet --sdist --outdir dist .
	$(VENV)/bin/python -m twine check --strict dist/eigentropy-*.whl dist/eigentropy-*.tar.gz
	$(VENV)/bin/python packaging/conda/check_recipe.py
	$(VENV)/bin/python scripts/write_sbom.py dist/eigentropy-*.whl
	$(VENV)/bin/python scripts/release_check.py $(RELEASE_ARGS)

# The wheel's build does the same on its way.
check-cuda: $(STAMPS)/build ## Compile every kernel for all GPUs of data centres; none may spill; needs nvcc, but no GPU
	scripts/check_cuda_code.sh

# Alone on the machine. What has ended is shown in the documents, whatever went wrong with the rest.
bench: $(STAMPS)/bench build/release/build.ninja ## Compare with other packages, in 20 minutes, and update the documents' tables
	cmake --build --preset release --target eigentropy_benchmarks
	$(VENV)/bin/python -m benchmarks.compare.suite $(BENCH_ARGS) && status=0 || status=$$?; \
	  $(MAKE) bench-tables; exit $$status

bench-tables: $(STAMPS)/bench ## Write the stored results into the documents' tables and figure
	$(VENV)/bin/python -m benchmarks.documents.tables --update README.md docs/*/*.md
	$(VENV)/bin/python -m benchmarks.documents.plot --output docs/figures/performance.svg

# Alone on the machine; NPEET takes part where Python finds it, such as with PYTHONPATH=path/to/NPEET.
bench-estimators: $(STAMPS)/bench ## DSMI beside other estimators (Fig. 4), in 30 minutes; results in benchmarks/results
	$(VENV)/bin/python -m benchmarks.compare.estimators $(BENCH_ARGS)

bench-cpp: build/release/build.ninja ## Run the C++ microbenchmarks; results in build/benchmarks
	cmake --build --preset release --target eigentropy_benchmarks
	mkdir -p build/benchmarks
	build/release/benchmarks/cpp/eigentropy_benchmarks --benchmark_out=build/benchmarks/cpp.json \
	  --benchmark_context=commit=$$(git describe --always --dirty 2>/dev/null || echo unknown) \
	  $(BENCH_ARGS)

docs: $(DOCS)/stamps/docs ## Build the documentation into build/docs
	$(DOCS)/bin/sphinx-build -q -W --keep-going -b html docs build/docs
	$(DOCS)/bin/python scripts/check_pages.py build/docs
	@echo "build/docs/index.html"

.PHONY: clean distclean
clean: ## Remove what was built, but keep .venv
	rm -rf build dist demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find python tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Remove the environments, too
	rm -rf .venv .venv-quick .venv-docs

# ---- Set-up ------------------------------------------------------------------------------------

# pip install with one sentence about what failed, into the environment whose stamp is the target.
# Modules are compiled when they are first imported: most never are.
define pip_install
	@echo 'Installing: $(1)'
	@$(dir $(@D))bin/python -m pip install --quiet --no-compile --disable-pip-version-check $(1) || { \
	  echo "error: pip could not install the above. It needs a network connection, or a mirror that" \
	    "is named in its settings (PIP_INDEX_URL)." >&2; exit 1; }
	@mkdir -p $(@D) && touch $@
endef

# pip has --group since 25.1.
$(STAMPS)/pip:
	@scripts/check_machine.sh $(PYTHON)
	@[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	$(call pip_install,--upgrade "pip>=25.1")

# Without build isolation, so that CMake builds again only what has changed.
$(STAMPS)/build: $(STAMPS)/pip pyproject.toml
	$(call pip_install,--group build)

$(STAMPS)/package: $(STAMPS)/build $(CORE)
	$(call pip_install,--no-build-isolation --editable .)

$(STAMPS)/demo: $(STAMPS)/package
	$(call pip_install,--group demo)

# m-phate, which eigentropy.embed is compared with, asks for a package that wants an old pandas and
# is not needed. timm and torchvision would bring another build of PyTorch. The group annotated says
# what it would bring.
$(STAMPS)/test: $(STAMPS)/package
	$(call pip_install,--no-deps --group annotated m-phate==0.1.6 timm==1.0.31 torchvision==0.28.0)
	$(call pip_install,--group test)

$(STAMPS)/coverage: $(STAMPS)/test
	$(call pip_install,--group coverage)

$(STAMPS)/bench: $(STAMPS)/package
	$(call pip_install,--group bench)

# Environments of their own, into which the package is installed as users install it. The wheel
# comes from build/python, as the editable install of .venv does: nothing is compiled twice.
build/as-installed.stamp: $(STAMPS)/build $(CORE) $(shell find python -type f -not -name '*.pyc')
	@rm -rf build/as-installed && mkdir -p build/as-installed
	$(VENV)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir build/as-installed .
	@touch $@

$(QUICK)/stamps/pip $(DOCS)/stamps/pip: %/stamps/pip: $(STAMPS)/pip
	@[ -x $*/bin/python ] || $(PYTHON) -m venv $*
	$(call pip_install,--upgrade "pip>=25.1")

$(QUICK)/stamps/quick: $(QUICK)/stamps/pip build/as-installed.stamp
	@$(QUICK)/bin/python -m pip uninstall --quiet --yes eigentropy
	$(call pip_install,--group quick build/as-installed/*.whl)

# The tutorial of cells reads a file that scanpy brings, and imports nothing of scanpy.
$(DOCS)/stamps/docs: $(DOCS)/stamps/pip build/as-installed.stamp
	@$(DOCS)/bin/python -m pip uninstall --quiet --yes eigentropy
	$(call pip_install,--no-deps scanpy==1.11.5)
	$(call pip_install,--group docs build/as-installed/*.whl)

$(STAMPS)/lint: $(STAMPS)/pip pyproject.toml
	$(call pip_install,--group lint)

$(STAMPS)/wheel $(STAMPS)/wheel-aarch64 $(STAMPS)/release $(STAMPS)/clang: $(STAMPS)/pip pyproject.toml
	$(call pip_install,--group $(@F))

build/third_party.stamp: $(STAMPS)/build scripts/fetch_cpp_test_libraries.sh
	scripts/fetch_cpp_test_libraries.sh
	@mkdir -p build && touch $@

build/%/build.ninja: $(STAMPS)/build build/third_party.stamp CMakePresets.json
	cmake --preset $* -DPython_EXECUTABLE=$(VENV)/bin/python \
	  -Dpybind11_DIR=$$($(VENV)/bin/python -m pybind11 --cmakedir) $(CMAKE_ARGS)
	@touch $@
