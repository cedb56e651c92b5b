# Two commands do everything on a machine that has git, make and python3 with pip:
#
#   make start          install what is needed into this folder, and run the daemon in the foreground
#   make test           the checks and tests, without any vendor's program
#
#   make test-clients   the vendors' clients and SDKs, downloaded at the versions of their lock file
#   make bench          the benchmark, against mitmdump and nginx
#   make clean          remove what the others made
#
# uv is used if it is there, else put into .venv-tools by pip. Python 3.13 is looked for on the PATH and among pyenv's
# versions, else uv downloads it; PYTHON=/path/to/python3.13 says which to take. ARGS="…" is passed on.

PYTHON ?=
ARGS ?=
TOOLS := .venv-tools
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(TOOLS)/bin/uv)
BIN := .venv/bin

# A name on the PATH is run before it is believed: pyenv's shims exist for versions that are not switched on, and uv
# stops at one. Where none runs, uv's own is taken, and downloaded if need be.
IS_313 := import sys; sys.exit(sys.version_info[:2] != (3, 13))
PLACES := python3.13 python3 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python3.13
ADVICE := echo 'If Python 3.13 could not be had: make PYTHON=/path/to/python3.13 …' >&2; exit 1
define SYNC
set -- --managed-python --python 3.13; \
for each in $(if $(PYTHON),"$(PYTHON)",$(PLACES)); do \
	if "$$each" -c '$(IS_313)' >/dev/null 2>&1; then set -- --python "$$(command -v "$$each")"; break; fi; \
done; \
if [ -n "$(PYTHON)" ] && [ "$$1" != --python ]; then echo "$(PYTHON) is not a Python 3.13" >&2; exit 1; fi; \
$(UV) sync --frozen --compile-bytecode --quiet "$$@"
endef

.PHONY: start test test-clients bench clean

start: .venv/.for-start
	@exec $(BIN)/ccproxy start $(ARGS)

test: .venv/.for-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-clients: .venv/.for-test
	$(BIN)/pytest tests/clients $(ARGS)

bench: .venv/.for-test
	$(BIN)/python -m tests.bench $(ARGS)

clean:
	rm -rf .venv $(TOOLS) dist .coverage .coverage.* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache tests/clients/.work

# Inexact: what `make test` has added stays.
.venv/.for-start: pyproject.toml uv.lock | $(filter $(TOOLS)/%,$(UV))
	@echo "installing into .venv …"
	@$(SYNC) --no-dev --inexact || { $(ADVICE); }
	@touch $@

.venv/.for-test: pyproject.toml uv.lock | $(filter $(TOOLS)/%,$(UV))
	@$(SYNC) || { $(ADVICE); }
	@touch $@ .venv/.for-start

# --target: works where the system's Python refuses packages (PEP 668), and where it has no venv module.
$(TOOLS)/bin/uv:
	@echo "installing uv into $(TOOLS) …"
	@PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --target $(TOOLS) uv
	@echo '*' > $(TOOLS)/.gitignore
