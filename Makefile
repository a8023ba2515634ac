# Everything runs in .venv, which is built when it is missing or the requirements have changed: for
# the job and its private server alone, or for the tests and linters too.
PYTHON = python3
READY = .venv/embedded-installed
STAMP = .venv/requirements-installed
PIP = $(RUN) -m pip install --quiet --no-cache-dir --disable-pip-version-check
# Measuring it slows the tests down, so that only .ci/run does.
COVERAGE =
# Which; all if there is nothing else.
TESTS =
POOLER = .pgbouncer/pgbouncer
TRANSLATED = .translated/initdb
# Of 100 MB, so that only the long tests have it.
BROWSER = .chromium/chromium
RUN = .venv/bin/python
ARGS =
DOCS = README.md docs/*.md
COG = $(RUN) -m cogapp -I . --verbosity=0

.POSIX:
.PHONY: help run plan verify history psql stop test test-matrix lint docs lock sbom clean

help:
	@echo "make run    initialise a private PostgreSQL in .postgres/ and leave it running;"
	@echo "            ARGS takes what create_tables.py does"
	@echo "make plan, make verify, make history   the job with that option, on the same server"
	@echo "make psql   open its database"
	@echo "make stop   stop it"
	@echo "make test   the tests, on a private PostgreSQL or on TEST_DATABASE_URL;"
	@echo "            TESTS takes files, --long or --whole for all parameters"
	@echo "make test-matrix   the tests on PostgreSQL 12 to 18 and the Pythons that are here"
	@echo "make lint   ruff, mypy, import-linter, hadolint, and whether tables of the docs are stale"
	@echo "make docs   renew the tables and transcripts of README and docs"
	@echo "make lock   renew the pins of the image: requirements.lock, and the base with docker"
	@echo "make sbom   write sbom.json, what is in the image's lock, as CycloneDX"
	@echo "make clean  stop it, and remove its data, .venv and what the tools keep"

run: $(READY)
	$(RUN) -m tools.embedded run .postgres $(ARGS)

plan verify history: $(READY)
	$(RUN) -m tools.embedded run .postgres --$@ $(ARGS)

psql: $(READY)
	$(RUN) -m tools.embedded psql .postgres $(ARGS)

stop:
	@if [ -x $(RUN) ]; then $(RUN) -m tools.embedded stop .postgres; \
	else echo "There is no .venv, and so no server of its own."; fi

test: $(STAMP) $(POOLER) $(TRANSLATED) $(if $(filter --long --whole,$(TESTS)),$(BROWSER))
	$(RUN) -m pytest -n auto --dist worksteal $(COVERAGE) $(TESTS)

test-matrix: $(STAMP) $(POOLER) $(TRANSLATED)
	$(RUN) -m tools.matrix

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports --no-cache > .venv/imports || { cat .venv/imports; exit 1; }
	.venv/bin/hadolint Dockerfile
	$(COG) --check $(DOCS)
	$(RUN) -m tools.log_schema --check
	$(RUN) -m tools.report_schema --check

docs: $(STAMP)
	$(COG) -r $(DOCS)
	$(RUN) -m tools.log_schema
	$(RUN) -m tools.report_schema
	$(RUN) -m tools.transcripts

lock: $(STAMP)
	$(RUN) -m uv pip compile --quiet --upgrade --generate-hashes --only-binary :all: \
		--python-version 3.13 --python-platform linux --custom-compile-command "make lock" \
		--output-file requirements.lock requirements.txt
	@if ! docker buildx version >/dev/null 2>&1; then \
		echo "The base image in Dockerfile is as before: its digest takes docker buildx."; \
	else \
		tag=$$(sed -n 's/^ARG PYTHON_IMAGE=\([^@]*\)@.*/\1/p' Dockerfile) && \
		digest=$$(docker buildx imagetools inspect $$tag --format '{{.Manifest.Digest}}') && \
		sed "s/^\(ARG PYTHON_IMAGE=[^@]*@\).*/\1$$digest/" Dockerfile > Dockerfile.new && \
		mv Dockerfile.new Dockerfile; \
	fi

sbom: $(STAMP)
	$(RUN) -m cyclonedx_py requirements --output-reproducible --output-file sbom.json \
		requirements.lock

clean:
	if [ -d .postgres ]; then $(MAKE) stop; fi
	rm -rf .postgres .pgbouncer .translated .chromium .screenshots .matrix .venv sbom.json \
		.coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt requirements-embedded.txt
	@echo "Installing the job and a private PostgreSQL into .venv: some 110 MB …"
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements-embedded.txt
	touch $(READY)

$(STAMP): $(READY) requirements-test.txt requirements-dev.txt
	@echo "Installing what the tests and linters take into .venv: some 800 MB …"
	$(PIP) -r requirements-dev.txt
	touch $(STAMP)

# Where one can't be had, the tests that need it fail and say what to do.
$(POOLER):
	-tools/get-debian-program pgbouncer .pgbouncer

$(TRANSLATED):
	-tools/get-debian-program postgresql .translated

$(BROWSER):
	-tools/get-debian-program chromium .chromium
