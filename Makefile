# The verbs of the project: a person, CI and the README use the same ones.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLD_DUCKDB := $(VENV)/duckdb-oldest
# What is never imported need not be compiled. What is, Python keeps compiled, so that dbt starts in two thirds of the
# time, also on machines that are set up not to.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes
DBT := $(BIN)/dbt
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal
# pip takes hashes only with pinned requirements, not from constraints, so it gets the part of the lock that it installs.
install = $(BIN)/python requirements/pick.py $(1) > $@.txt && $(PIP) -r $@.txt && touch $@
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras --annotation-style line
export DBT_PROJECT_DIR := $(CURDIR)
export DBT_PROFILES_DIR := $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help build publish report explore load test lint unit browser draws bench metrics docs sample lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Unit tests ask nothing of the events and take longer than all the rest: make test runs them.
build: $(VENV)/.build ## environment, then every seed, model and data test on DuckDB, the published copy, and a look at the marts
	@echo "Building every seed, model and data test"
	@$(DBT) build --quiet --exclude-resource-type unit_test
	@$(BIN)/python -m flyer_analytics.publish
	@$(BIN)/python -m flyer_analytics.summary

# The tests run again: nothing else knows how those of the last build ended.
publish: $(VENV)/.build ## after a build by dbt itself: test what is there and publish it for BI tools
	@$(DBT) test --quiet --exclude-resource-type unit_test || { \
		echo "Nothing was published: these tests must pass first. make build builds everything and publishes it." >&2; exit 1; }
	@$(BIN)/python -m flyer_analytics.publish

explore: $(VENV)/.explore ## questions about merchants, flyers and dates, in a browser
	@$(BIN)/python -m streamlit run flyer_analytics/explore.py

report: export MERCHANT := $(MERCHANT)
report: export FROM := $(FROM)
report: export TO := $(TO)
report: OUT ?= report
report: export OUT := $(OUT)
report: $(VENV)/.build ## pages for merchants: make report MERCHANT=6063 FROM=2018-11-02 TO=2018-11-06 OUT=pages, all optional
	@$(BIN)/python -m flyer_analytics.pages --out="$$OUT" \
		$${MERCHANT:+--merchant="$$MERCHANT"} $${FROM:+--from="$$FROM"} $${TO:+--to="$$TO"}

load: export FILE := $(FILE)
load: $(VENV)/.build ## load your own events: make load FILE='events/*.csv' (a file, a glob or a folder; s3://... on Redshift)
	@test -n "$$FILE" || { echo "make load needs FILE: make load FILE='events/*.csv'" >&2; exit 2; }
	@case "$$FILE" in s3://*) exec $(BIN)/python -m flyer_analytics.load "$$FILE";; esac; \
		$(DBT) run-operation load_events --args "$$($(BIN)/python -c 'import json, os; print(json.dumps({"path": os.environ["FILE"]}))')"

test: lint unit ## everything that CI checks

lint: export FLYER_DUCKDB_PATH := target/lint/lint.duckdb
lint: export DBT_TARGET_PATH := target/lint
# The macros are not linted by themselves: sqlfluff skips them, and sees what they make in the models.
lint: $(VENV)/.dev ## style of SQL and Python, types, conventions; a build of the sample that must not warn
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	rm -rf target/lint && mkdir -p target/lint
	$(DBT) --quiet --warn-error build --no-partial-parse --exclude-resource-type unit_test
	$(DBT) --quiet docs generate
	FLYER_REDSHIFT_HOST=none FLYER_REDSHIFT_DATABASE=none FLYER_REDSHIFT_USER=none FLYER_REDSHIFT_PASSWORD=none \
		$(DBT) --quiet --warn-error parse --target redshift --target-path target/redshift
	$(BIN)/dbt-bouncer run
	@# It looks for target/semantic_manifest.json beside dbt_project.yml, nowhere else.
	ln -s ../../dbt_project.yml target/lint && ln -s . target/lint/target
	DBT_PROJECT_DIR=target/lint $(BIN)/mf validate-configs
	$(BIN)/sqlfluff lint --disable-progress-bar models tests analyses

unit: $(VENV)/.dev browser ## the tests, on the locked DuckDB, on Redshift's stand-in and on the oldest DuckDB
	$(PYTEST)
	PYTHONPATH=$(CURDIR)/$(OLD_DUCKDB) $(PYTEST) $(addprefix python_tests/test_,marts.py load.py export.py suppression.py \
		increments.py::test_any_loads_equal_a_full_refresh) --draws=1

# Any Chromium will do; on Debian and Ubuntu a machine without one gets it, which only root may.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	echo "Installing Chromium, in which the tests open the merchant pages"; \
	{ apt-get -qq update && apt-get -qq install --no-install-recommends chromium; } >/dev/null || { \
		echo "The tests open pages in Chromium. Install it first: sudo apt-get install chromium" >&2; exit 1; }

draws: DRAWS ?= 50
draws: SEED ?= 1000
draws: $(VENV)/.dev ## increments against full refreshes, at length: make draws DRAWS=200 SEED=7
	$(PYTEST) python_tests/test_increments.py -k any_loads_equal --draws $(DRAWS) --first-seed $(SEED)

bench: EVENTS ?= 1000000 10000000
bench: $(VENV)/.bench ## time and memory beside three rivals: make bench EVENTS=100000000
	$(BIN)/python benchmarks/run.py --events $(EVENTS)

metrics: $(VENV)/.metrics ## MetricFlow, for questions about metrics (docs/metrics.md)
	@$(BIN)/mf list metrics

docs: $(VENV)/.build ## the documentation site, one file: target/static_index.html
	@$(DBT) docs generate --quiet
	@$(BIN)/python -m flyer_analytics.site

sample: $(VENV)/.build ## write the sample seed again
	$(BIN)/python -m flyer_analytics.generate seeds/sample_flyer_events.csv \
		--as-loaded --events 3000 --users 60 --days 5 --start 2018-11-02 --seed 7

lock: $(VENV)/.dev ## lock the newest versions that pyproject.toml allows in requirements/
	$(COMPILE) --upgrade --all-extras pyproject.toml -o requirements/lock.txt
	echo "duckdb==1.5.6" | $(COMPILE) - -o requirements/duckdb-oldest.txt

clean: ## remove the environment, the database and what dbt wrote
	rm -rf $(VENV) target logs dbt_packages published flyer_analytics.duckdb flyer_analytics.duckdb.wal

$(VENV)/.build: requirements/lock.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1): make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Creating the environment in $(VENV), which takes about a minute, once"
	@$(PYTHON) -m venv $(VENV)
	@$(install)

$(addprefix $(VENV)/.,dev bench metrics explore): $(VENV)/.%: requirements/lock.txt $(VENV)/.build
	@echo "Installing what $(if $(filter dev,$*),the tests need,make $* needs)"
	@$(call install,$* $(if $(filter dev,$*),explore metrics))

$(VENV)/.dev: $(OLD_DUCKDB)

$(OLD_DUCKDB): requirements/duckdb-oldest.txt $(VENV)/.build
	@rm -rf $@
	@$(PIP) --target $@ -r $<
	@touch $@
