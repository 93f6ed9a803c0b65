# The project's commands; `make help` lists them. They need Python 3.11 or newer and nothing else.

PYTHON := $(or $(PYTHON),$(shell sh tools/newest-python.sh))
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
TEMPLATES = find trackmate demo tests -name '*.html' -exec $(BIN)/djade
PYENVS := $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.1[123].*/bin)
ALL_OF_THEM := $(if $(CI),--skip-missing-interpreters false)
MATRIX = # e.g. MATRIX='-e py311-django52'

# Tests that need a server or a browser run on PostgreSQL: they need a database that takes several
# connections. The last two have targets of their own.
SERVED := server or browser
APART := packaging or lighthouse
# No single run has every package, so they add up; `make coverage` reports them.
COVER := --cov --cov-append --cov-report= --cov-fail-under=0

.DEFAULT_GOAL := help

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 18

demo: .venv-demo/installed ## Show trackmate at work: an order desk with a history and traffic
	@.venv-demo/bin/python demo/manage.py demo

test: services lint test-sqlite test-users test-postgresql test-mariadb test-packages test-graphene test-oldest coverage ## Run everything that has to pass before a commit

test-sqlite: .venv/installed ## Run the tests on SQLite
	rm -f .coverage
	$(PYTEST) $(COVER) -m "not ($(SERVED) or $(APART))"

test-users: .venv/installed ## Run the tests that depend on the user model with UUID keys
	TRACKMATE_TEST_USER_MODEL=shop.UUIDUser $(PYTEST) -m "users and not ($(SERVED))"

test-postgresql: .venv/installed ## Run the tests that depend on the database, and the browser's, on PostgreSQL
	TRACKMATE_TEST_DATABASE=postgresql $(PYTEST) -m "(database or $(SERVED)) and not ($(APART))"

test-mariadb: .venv/installed ## Run the tests that depend on the database on MariaDB
	TRACKMATE_TEST_DATABASE=mariadb $(PYTEST) -m "database and not ($(SERVED))"

test-packages: .venv-packages/installed ## Run the tests beside other packages
	.venv-packages/bin/python -m pytest $(COVER) -W ignore -n auto --ds=tests.packages.settings tests/packages
	.venv-packages/bin/python -m pytest $(COVER) -W ignore -n 1 --ds=tests.tenants.settings tests/tenants
	.venv-packages/bin/python -m pytest $(COVER) -W ignore --ds=tests.wagtail.settings tests/wagtail
	.venv-packages/bin/python -m pytest $(COVER) -W ignore --ds=tests.peers.settings tests/peers

test-graphene: .venv-graphene/installed ## Run the tests beside graphene-django
	.venv-graphene/bin/python -m pytest $(COVER) -W ignore --ds=tests.graphene.settings tests/graphene

coverage: .venv/installed ## Report what the tests on SQLite and beside other packages have run
	$(BIN)/coverage report

test-oldest: .venv-oldest/installed ## Run the tests of lists and pages on the oldest versions of what trackmate depends on
	.venv-oldest/bin/python -m pytest -n auto --dist worksteal $(addprefix tests/test_,access.py admin.py dashboard.py display_options.py query.py)

packaging: .venv/installed ## Build the wheel and try it in a new project
	$(BIN)/python -m pytest -m packaging

lighthouse: services .venv/installed ## Let Lighthouse judge the main pages
	$(BIN)/python -m pytest -m lighthouse

services: ## Find or start the servers and the browser of the tests
	@$(PYTHON) -m tools.services start

services-stop: ## End these servers and remove their data
	@$(PYTHON) -m tools.services stop

lint: .venv/installed ## Check style, templates, layers, types and migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(TEMPLATES) --check {} +
	$(BIN)/lint-imports
	$(BIN)/mypy
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m django makemigrations --check --dry-run

format: .venv/installed ## Bring code and templates into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(TEMPLATES) {} +

matrix: services .venv-tox/installed ## Run the tests on every supported pair of Python and Django
	@PATH="$(subst $() ,:,$(PYENVS)):$$PATH" .venv-tox/bin/tox run $(ALL_OF_THEM) $(MATRIX)

docs: .venv-docs/installed ## Build the documentation; a warning is an error
	.venv-docs/bin/sphinx-build -W --keep-going -b html docs docs/_build

screenshots: .venv/installed ## Take the pictures of the README and the documentation
	$(BIN)/python -m docs.screenshots

bench: services .venv/installed ## Measure what trackmate costs, beside its peers
	$(BIN)/python -m benchmarks

bench-changes: services .venv/installed ## Measure what it costs to record changes, beside its peers
	$(BIN)/python -m benchmarks changes

clean: services-stop ## Remove everything that these commands made
	rm -rf .venv .venv-packages .venv-graphene .venv-oldest .venv-demo .venv-docs .venv-tox .tox .foreign .services docs/_build build dist htmlcov .coverage* \
		.mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# Virtual environments: made anew when pyproject.toml changes. mysqlclient has to be compiled.
.venv/installed: GROUPS = test demo lint $(shell $(PYTHON) -m tools.machine mysqlclient >/dev/null 2>&1 && echo mariadb)
.venv-packages/installed: GROUPS = test packages
.venv-graphene/installed: GROUPS = test graphene
.venv-oldest/installed: GROUPS = test oldest
.venv-demo/installed: GROUPS = demo
.venv-docs/installed: GROUPS = docs
.venv-tox/installed: GROUPS = matrix

%/installed: pyproject.toml
	@$(PYTHON) -m tools.machine venv
	@echo "Making $(@D): $(GROUPS)"
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --editable . $(GROUPS:%=--group %)
	@touch $@

.NOTPARALLEL:
.PHONY: help demo test test-sqlite test-users test-postgresql test-mariadb test-packages test-graphene test-oldest coverage packaging lighthouse \
	services services-stop lint format matrix docs screenshots bench bench-changes clean
