# Commands of the project. CI uses the same ones as people do.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLD_DUCKDB := $(VENV)/duckdb-oldest
AIRFLOW := orchestration/airflow
SUPERSET := bi/superset
JAVASCRIPT := python_tests/javascript
# Nothing is compiled when it is installed, since most modules are never imported. Python keeps what it compiles, even if the
# environment says otherwise: dbt then starts in two thirds of the time.
export PYTHONDONTWRITEBYTECODE :=
# uv installs in a fifth of pip's time, which only installs uv. uv does not read pip's settings, such as an index of a
# company's own, so that pip goes on if uv cannot.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes
UV := $(BIN)/uv pip install --quiet --system-certs --require-hashes
DBT := $(BIN)/dbt
# Nothing else loads, builds or publishes meanwhile. `make load` takes the lock by itself.
locked = @$(BIN)/python -m flyer_analytics.lock --as "make $@" -- sh -ec
# One process more than there are cores, since some tests wait for other programs.
PYTEST := $(BIN)/python -m pytest --numprocesses $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1))) --dist worksteal
# Hashes are checked only of pinned requirements, not of constraints, so each environment gets its part of the lock.
install = $(BIN)/python requirements/pick.py $(1) > $@.txt && $(call fetch,--python $(BIN)/python,,$@.txt) && touch $@
fetch = { $(UV) $(1) -r $(3) || { echo "uv could not install $(3) (see above). Trying pip" >&2; $(PIP) $(2) -r $(3); }; }
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-header --annotation-style line
export DBT_PROJECT_DIR := $(CURDIR)
export DBT_PROFILES_DIR := $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help build publish report explore load erase stream check check-redshift test lint lint-python lint-build lint-conventions \
	lint-infrastructure lint-sql unit browser kafka draws bench metrics airflow superset superset-datasets \
	superset-zip docs sample examples lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Without unit tests, which take longer than all the rest and do not depend on the events.
build: $(VENV)/.build ## install, build and test everything on DuckDB, publish the marts, show a summary
	@echo "Building the models and running their data tests"
	$(locked) '$(DBT) build --quiet --exclude-resource-type unit_test; \
		$(BIN)/python -m flyer_analytics.publish; \
		$(BIN)/python -m flyer_analytics.summary'

# Tests run again, since dbt does not store their last results in the database.
publish: $(VENV)/.build ## after dbt build: test the tables and publish the marts for BI tools
	$(locked) '$(DBT) test --quiet --exclude-resource-type unit_test || { \
		echo "Nothing was published, because the tests did not pass (see above)." >&2; exit 1; }; \
		$(BIN)/python -m flyer_analytics.publish'

explore: $(VENV)/.explore ## explore merchants, flyers and dates in a browser
	@$(BIN)/python -m streamlit run flyer_analytics/explore_server.py

# As given: make would take the $U of price$USD.csv for a variable.
report: override export MERCHANT := $(value MERCHANT)
report: override export FROM := $(value FROM)
report: override export TO := $(value TO)
report: override export OUT := $(or $(value OUT),report)
report: $(VENV)/.build ## write pages for merchants: make report MERCHANT=6063 FROM=2018-11-02 TO=2018-11-06 OUT=pages (all optional)
	@$(BIN)/python -m flyer_analytics.pages --out="$$OUT" \
		$${MERCHANT:+--merchant="$$MERCHANT"} $${FROM:+--from="$$FROM"} $${TO:+--to="$$TO"}

load: override export FILE := $(value FILE)
load: $(VENV)/.build ## load events: make load FILE='events/*.csv' (a file, pattern or folder; s3://... on Redshift)
	@test -n "$$FILE" || { echo "make load needs FILE: make load FILE='events/*.csv'" >&2; exit 2; }
	@$(BIN)/python -m flyer_analytics.load -- "$$FILE"

erase: override export USER_ID := $(value USER_ID)
erase: $(VENV)/.build ## erase a user everywhere: make erase USER_ID=1511153f0107 YES=1 (docs/erasing.md)
	@test -n "$$USER_ID" || { echo "make erase needs USER_ID: make erase USER_ID=1511153f0107" >&2; exit 2; }
	@$(BIN)/python -m flyer_analytics.erase $(if $(YES),--yes) -- "$$USER_ID"

stream: $(VENV)/.stream ## run the whole pipeline on this machine: make stream RATE=200 SECONDS=300 SPEED=60 HISTORY=1000000 KILLS=20
	@$(BIN)/python -m flyer_analytics.stream $(foreach option,RATE SECONDS SPEED SEED HISTORY KILLS,$(if $($(option)),--$(shell \
		echo $(option) | tr A-Z a-z)=$($(option))))

check: override export MODEL := $(value MODEL)
check: $(VENV)/.build ## run the tests of one model on the sample, in seconds: make check MODEL=int_flyer_sessions
	@test -n "$$MODEL" || { echo "make check needs MODEL: make check MODEL=int_flyer_sessions" >&2; exit 2; }
	@$(BIN)/python -m flyer_analytics.check "$$MODEL"

check-redshift: $(VENV)/.build ## before the first load: does this Redshift give the rows that DuckDB gives?
	@$(BIN)/python -m flyer_analytics.check_redshift

test: lint unit ## run everything that CI runs

lint: $(VENV)/.dev ## check style, types and conventions, and that the sample builds without warnings
	@$(MAKE) --no-print-directory --jobs 2 lint-python lint-sql lint-conventions lint-infrastructure

lint-python:
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy

LINT := FLYER_DUCKDB_PATH=target/lint/lint.duckdb DBT_TARGET_PATH=target/lint
lint-build:
	rm -rf target/lint && mkdir -p target/lint
	$(LINT) $(DBT) --quiet --warn-error build --exclude-resource-type unit_test

lint-conventions: lint-build
	$(LINT) $(DBT) --quiet docs generate --no-compile
	$(BIN)/dbt-bouncer run
	@# mf looks for target/semantic_manifest.json only beside dbt_project.yml.
	ln -s ../../dbt_project.yml target/lint && ln -s . target/lint/target
	$(LINT) DBT_PROJECT_DIR=target/lint $(BIN)/mf validate-configs

lint-infrastructure:
	$(BIN)/cfn-lint infrastructure/flyer.yaml
	$(BIN)/shellcheck infrastructure/runner/install infrastructure/runner/flyer-build \
		infrastructure/runner/flyer-run infrastructure/runner/flyer-alarm

# sqlfluff reads what the models compile to on a complete build, increments included. It skips macros.
lint-sql: lint-build
	mkdir target/lint/sql && cp target/lint/lint.duckdb target/lint/sql
	FLYER_DUCKDB_PATH=target/lint/sql/lint.duckdb DBT_TARGET_PATH=target/lint/sql \
		$(BIN)/sqlfluff lint --disable-progress-bar models tests analyses

unit: $(VENV)/.dev $(AIRFLOW)/.venv/.done $(SUPERSET)/.venv/.done browser kafka $(JAVASCRIPT)/node_modules ## run the Python tests: on DuckDB, on the Redshift stand-in, some on the oldest DuckDB
	$(PYTEST)
	@# What an older DuckDB can change: the SQL of models, loads, exports and increments, without further events for the same.
	PYTHONPATH=$(CURDIR)/$(OLD_DUCKDB) $(PYTEST) $(addprefix python_tests/test_,marts.py cleaning.py load.py export.py \
		increments.py::test_recomputed_dates_and_new_loads_together) -k "not generated_days and not drawn and not never_stops \
		and not own_events and not other_vars and not killed and not interrupted and not nobody and not without_permission \
		and not backfilled and not only_changed"

browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	echo "Installing Chromium: some tests open the merchant pages in a browser"; \
	{ apt-get -qq update && apt-get -qq install --no-install-recommends chromium; } >/dev/null || { \
		echo "Chromium is not installed, and apt-get could not install it (see above). Some tests need a browser." >&2; \
		echo "Install Chromium or Chrome, for example with: sudo apt-get install chromium. Then run this again." >&2; \
		exit 1; }

$(JAVASCRIPT)/node_modules: $(JAVASCRIPT)/package-lock.json
	@{ command -v node && command -v npm; } >/dev/null || { \
		echo "Installing Node.js and npm: a test reads the published files with JavaScript"; \
		{ apt-get -qq update && apt-get -qq install --no-install-recommends nodejs npm; } >/dev/null; } || { \
		echo "Node.js and npm are not installed, and apt-get could not install them (see above). A test needs them." >&2; \
		echo "Install them, for example with: sudo apt-get install nodejs npm. Then run this again." >&2; exit 1; }
	@npm ci --silent --no-audit --no-fund --prefix $(JAVASCRIPT)
	@touch $@

# Without them the tests still run, except those with Apache Kafka, which say why. In CI these fail.
kafka:
	@command -v java >/dev/null && command -v mvn >/dev/null && exit 0; \
	echo "Installing Java and Maven: some tests run Apache Kafka"; \
	{ apt-get -qq update && apt-get -qq install --no-install-recommends default-jre-headless maven; } >/dev/null || { \
		echo "Java and Maven are not installed, and apt-get could not install them (see above). Tests with Apache Kafka are" >&2; \
		echo "skipped. To run them: sudo apt-get install default-jre-headless maven" >&2; }

draws: DRAWS ?= 50
draws: SEED ?= 1000
draws: $(VENV)/.dev ## compare increments with full refreshes, many times: make draws DRAWS=200 SEED=7
	$(PYTEST) python_tests/test_increments.py -k any_loads_equal --draws $(DRAWS) --first-seed $(SEED)

bench: EVENTS ?= 1000000 10000000
bench: $(VENV)/.bench ## compare time and memory with three other implementations: make bench EVENTS=100000000
	$(BIN)/python benchmarks/run.py --events $(EVENTS)

metrics: $(VENV)/.metrics ## install MetricFlow and list the metrics (docs/metrics.md)
	@$(BIN)/mf list metrics

airflow: override export PORT := $(value PORT)
airflow: $(AIRFLOW)/.venv/.done $(VENV)/.build ## run the DAGs in an Airflow on this machine: make airflow PORT=8080 (orchestration/airflow/)
	@$(AIRFLOW)/.venv/bin/python $(AIRFLOW)/local.py

superset: override export PORT := $(value PORT)
superset: override export NEW_PASSWORD := $(value NEW_PASSWORD)
superset: $(SUPERSET)/.venv/.done $(VENV)/.build ## open dashboards in a Superset on this machine: make superset PORT=8088 (bi/superset/)
	@$(SUPERSET)/.venv/bin/python -m bi.superset.local

superset-datasets: $(VENV)/.build ## after a change to marts or metrics: write them into Superset's datasets
	@$(DBT) parse --quiet
	@$(BIN)/python -m bi.superset.datasets

superset-zip: override export URL := $(value URL)
superset-zip: override export OUT := $(or $(value OUT),flyer_dashboards.zip)
superset-zip: $(VENV)/.build ## the dashboards for another Superset: make superset-zip URL=redshift+psycopg2://reader@host:5439/database
	@test -n "$$URL" || { echo "make superset-zip needs URL: make superset-zip URL=redshift+psycopg2://reader@host:5439/database" >&2; exit 2; }
	@$(BIN)/python -m bi.superset.bundle --out="$$OUT" -- "$$URL"

docs: $(VENV)/.build ## write the documentation site, one file: target/static_index.html
	@$(DBT) docs generate --quiet
	@$(BIN)/python -m flyer_analytics.site

sample: $(VENV)/.build ## regenerate the sample seed
	$(BIN)/python -m flyer_analytics.generate seeds/sample_flyer_events.csv \
		--as-loaded --events 16000 --users 300 --merchants 24 --days 14 --start 2018-10-29 --seed 20

EXAMPLES := FLYER_DUCKDB_PATH=target/examples/flyer_analytics.duckdb DBT_TARGET_PATH=target/examples \
	FLYER_PUBLISHED_PATH=target/examples/published
examples: $(VENV)/.dev $(SUPERSET)/.venv/.done browser ## rewrite the outputs and pictures in README and docs, from the sample
	rm -rf target/examples && mkdir -p target/examples
	$(EXAMPLES) $(DBT) --quiet build --exclude-resource-type unit_test
	$(EXAMPLES) $(BIN)/python -m flyer_analytics.publish
	$(EXAMPLES) $(BIN)/python -m flyer_analytics.pages --out target/examples/report
	$(EXAMPLES) $(DBT) --quiet docs generate --no-compile
	$(EXAMPLES) $(BIN)/python -m flyer_analytics.site
	@# mf looks for target/semantic_manifest.json only beside dbt_project.yml.
	ln -s ../../dbt_project.yml target/examples && ln -s . target/examples/target
	$(EXAMPLES) DBT_TARGET=published DBT_PROJECT_DIR=target/examples $(BIN)/python -m tools.examples
	$(EXAMPLES) $(BIN)/python -m tools.explorer_picture docs/explorer.png
	$(EXAMPLES) $(BIN)/python -m bi.superset.pictures docs

lock: $(VENV)/.dev ## update requirements/ to the newest versions that pyproject.toml allows
	$(COMPILE) --upgrade --all-extras pyproject.toml -o requirements/lock.txt
	echo "duckdb==1.5.6" | $(COMPILE) - -o requirements/duckdb-oldest.txt
	$(COMPILE) --upgrade $(AIRFLOW)/requirements.in -o $(AIRFLOW)/requirements.txt
	$(COMPILE) --upgrade $(SUPERSET)/requirements.in -o $(SUPERSET)/requirements.txt

clean: ## delete the environment, the database and what dbt wrote
	rm -rf $(VENV) $(AIRFLOW)/.venv $(SUPERSET)/.venv $(SUPERSET)/home $(JAVASCRIPT)/node_modules target logs dbt_packages published flyer_analytics.duckdb*

$(VENV)/.build: requirements/lock.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1): make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Creating the environment in $(VENV). This takes less than a minute, once."
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/ # via/p' $< > $@.txt && $(PIP) -r $@.txt
	@$(install)

$(addprefix $(VENV)/.,dev bench metrics explore stream): $(VENV)/.%: requirements/lock.txt $(VENV)/.build
	@echo "Installing what $(if $(filter dev,$*),the tests need,make $* needs)"
	@$(call install,$* $(if $(filter dev,$*),explore metrics stream))

$(VENV)/.dev: $(OLD_DUCKDB)

$(OLD_DUCKDB): requirements/duckdb-oldest.txt $(VENV)/.build
	@rm -rf $@
	@$(call fetch,--python $(BIN)/python --target $@,--target $@,$<)
	@touch $@

# In an environment of its own, since Airflow and dbt need different versions of the same packages.
$(AIRFLOW)/.venv/.done: $(AIRFLOW)/requirements.txt $(VENV)/.build
	@echo "Installing Airflow in $(AIRFLOW)/.venv"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AIRFLOW)/.venv
	@$(UV) --python $(AIRFLOW)/.venv/bin/python -r $<
	@touch $@

# Superset holds numpy below 2, which has wheels up to Python 3.12. It need not be the Python of the project.
$(SUPERSET)/.venv/.done: $(SUPERSET)/requirements.txt $(VENV)/.build
	@echo "Installing Superset in $(SUPERSET)/.venv (710 MB)"
	@$(BIN)/uv venv --quiet --clear --no-python-downloads --python '>=3.11,<3.13' $(SUPERSET)/.venv || { \
		echo "Superset 6.1 needs Python 3.11 or 3.12, and neither is installed. Install one, then run this again." >&2; exit 1; }
	@$(UV) --python $(SUPERSET)/.venv/bin/python -r $<
	@touch $@
