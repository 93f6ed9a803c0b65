# The project's commands; `make help` lists them. They presuppose Python 3.11 or newer and nothing else.

PYTHON := $(or $(PYTHON),$(shell sh tools/newest-python.sh))
BIN := .venv/bin
TEMPLATES = find trackmate demo tests -name '*.html' -exec $(BIN)/djade
PYENVS := $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.1[123].*/bin)
ALL_OF_THEM := $(if $(CI),--skip-missing-interpreters false)
MATRIX = # e.g. MATRIX='-e py311-django52'

.DEFAULT_GOAL := help

help: ## List these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 16

demo: ## Show trackmate at work: an order desk with a history and traffic
	@$(PYTHON) -m tools.environment .venv-demo --group demo
	@.venv-demo/bin/python demo/manage.py demo

test: services environment lint suite ## Run everything that has to pass

services: ## Find or start the servers and the browser of the tests
	@$(PYTHON) -m tools.services start

services-stop: ## End these servers and remove their data
	@$(PYTHON) -m tools.services stop

environment: # What lint and suite stand on
	@$(PYTHON) -m tools.environment .venv --group test --group demo --group lint --where-possible mariadb

lint: environment ## Check style, templates, floors, types and migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(TEMPLATES) --check {} +
	$(BIN)/lint-imports
	$(BIN)/mypy
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m django makemigrations --check --dry-run

suite: environment # The tests on each database, with coverage
	@$(BIN)/python -m tools.suite

format: environment ## Bring code and templates into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(TEMPLATES) {} +

matrix: services ## Run the tests on every supported pair of Python and Django
	@$(PYTHON) -m tools.environment .venv-tox --no-project --group matrix
	@PATH="$(subst $() ,:,$(PYENVS)):$$PATH" .venv-tox/bin/tox run $(ALL_OF_THEM) $(MATRIX)

docs: ## Build the documentation; a warning is an error
	@$(PYTHON) -m tools.environment .venv-docs --group docs
	.venv-docs/bin/sphinx-build -W --keep-going -b html docs docs/_build

screenshots: environment ## Take the pictures of the README and the documentation
	$(BIN)/python -m docs.screenshots

bench: services environment ## Measure what trackmate costs, beside its peers
	$(BIN)/python -m benchmarks

clean: services-stop ## Remove everything that these commands made
	rm -rf .venv .venv-demo .venv-docs .venv-tox .tox .services docs/_build build dist htmlcov .coverage* \
		.mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.NOTPARALLEL:
.PHONY: help demo test services services-stop environment lint suite format matrix docs screenshots bench clean
