ARGS ?=
VENV := .venv/bin
# Two processes that mostly wait, one for each running system that tests share, and one for the rest; each has servers of
# its own. ARGS="-n 0": one process.
PARALLEL := $(if $(DATABASE_URL)$(BROKER_URL),,-n 3)
# What settings.py asks for; lint never connects to it.
DUMMY := DATABASE_URL=postgres://x@localhost/x BROKER_URL=redis://localhost SECRET_KEY=0123456789012345678901234567890123456789012345678901234567890123

.PHONY: help run demo-failure compare bench test chaos mutants screenshots lint audit contracts format wheel lock pin clean local dev
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: local ## start everything on this machine; Ctrl-C stops it (WEB_PORT, FLOWER_PORT, GRPC_PORT, DATA_DIR move it)
	@exec $(VENV)/python -m local.run

demo-failure: ## on a running `make run`: break the mail, watch the retries and the dead letter, mend and replay
	@$(VENV)/python -m local.demo_failure

compare: local ## an app as most teams write it, and this one, under the same faults: 10 minutes (APP, SCENARIO choose a part)
	@$(VENV)/python -m benchmarks.compare

bench: dev ## how fast it is, beside plain ways to do the same: an hour (LEG=intake,reads,drain,... chooses; ROUNDS=3, ORDERS=10000)
	@$(VENV)/python -m benchmarks.speed

test: dev ## run the whole test suite against real servers (ARGS="-k orders" is given to pytest)
	@$(VENV)/python -m pytest $(PARALLEL) $(ARGS)

chaos: dev ## every fault by itself, then a storm of them under load: 25 minutes (SEED, MINUTES=10, RATE=20; TABLE=0: the storm alone)
	@$(VENV)/python -m tests.chaos

mutants: dev ## put small faults into the code and see that tests fail: hours (MODULE=orders/services.py chooses a file)
	@$(VENV)/python -m tests.mutants

screenshots: dev ## take the pictures of README and docs from the running site, with demo data; needs Chromium
	@$(VENV)/python -m tests.screenshots

lint: dev ## check style, format, types, import contracts, migrations, production settings and the contracts
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(DUMMY) $(VENV)/mypy .
	@$(VENV)/lint-imports
	@$(DUMMY) $(VENV)/python manage.py makemigrations --check --dry-run
	@$(DUMMY) $(VENV)/python manage.py check --deploy --fail-level WARNING
	@$(DUMMY) $(VENV)/python -m tools.contracts --check
	@$(VENV)/python tools/kubernetes.py
	@$(VENV)/python tools/audit.py --tell

audit: dev ## fail where a locked package has a known vulnerability, or could not be looked up (make lint only tells)
	@$(VENV)/python tools/audit.py

contracts: dev ## write contracts/, docs/errors.md and the stubs of gRPC from the code (ARGS=--release keeps them as those of this version)
	@$(DUMMY) $(VENV)/python -m tools.contracts $(ARGS)

format: dev ## put the code into the one format
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

wheel: dev ## build the bus alone as an installable Django app, into dist/ (docs/own-project.md)
	@$(VENV)/python tools/wheel/build.py

lock: dev ## pin what the requirements files bring, with hashes (ARGS=--upgrade for newer versions)
	@for name in requirements requirements-s3 requirements-local requirements-dev; do \
	  $(VENV)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(ARGS) $$name.txt -o $$name.lock || exit 1; \
	done

pin: ## pin images and CI actions to what their tags name now; needs docker, git and the network (ARGS=--check compares)
	@sh tools/python.sh tools/pin.py $(ARGS)

clean: ## remove .venv, the local data and the caches
	@rm -rf .venv .local .mypy_cache .ruff_cache .pytest_cache .import_linter_cache staticfiles dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

local dev:
	@sh tools/python.sh tools/setup.py $@
