# Everything runs in .venv, which is built when it is missing or the requirements have changed.
PYTHON = python3
STAMP = .venv/requirements-installed
RUN = .venv/bin/python

.POSIX:
.PHONY: help run stop test lint clean

help:
	@echo "make run    initialise a private PostgreSQL in .postgres/ and leave it running"
	@echo "make stop   stop it"
	@echo "make test   all tests, on a private PostgreSQL or on TEST_DATABASE_URL"
	@echo "make lint   ruff and mypy"
	@echo "make clean  stop it, and remove its data, .venv and what the tools keep"

run: $(STAMP)
	$(RUN) create_tables.py --embedded

stop: $(STAMP)
	$(RUN) embedded.py stop .postgres

test: $(STAMP)
	$(RUN) -m pytest --cov --cov-fail-under=90

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

clean:
	if [ -d .postgres ]; then $(MAKE) stop; fi
	rm -rf .postgres .venv .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --no-cache-dir --disable-pip-version-check -r requirements-dev.txt
	touch $(STAMP)
