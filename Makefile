# Two commands to start with: `make demo` and `make test`. Each sets up what it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEMO   := captures/uac_pcap-g711-dtmf.pcap
OUT    ?= out

.PHONY: help demo test check bench docs clean peers install

help:
	@echo "make demo    learn a real capture, replay it on loopback with media, show the verdict"
	@echo "make test    all tests (installs the peers they talk to, where it may)"
	@echo "make check   format, lint, types, layers"
	@echo "make bench   side by side with sipp and tshark"
	@echo "make docs    pictures and pages under docs/"
	@echo "make clean   remove what the others made"

install: $(STAMP)

$(STAMP): pyproject.toml .ci/venv
	@sh .ci/venv $(PYTHON) $(VENV)
	@touch $@

demo: $(STAMP)
	@rm -rf $(OUT)/bundle $(OUT)/report
	@mkdir -p $(OUT)
	@echo '$$ sipreplay learn $(DEMO) -o $(OUT)/bundle'
	@$(BIN)/sipreplay learn $(DEMO) -o $(OUT)/bundle
	@echo
	@echo '$$ sipreplay run $(OUT)/bundle --rate 20 --calls 200 --report $(OUT)/report'
	@$(BIN)/sipreplay run $(OUT)/bundle --rate 20 --calls 200 --report $(OUT)/report
	@echo
	@echo 'Open $(OUT)/report/report.html (the run) and $(OUT)/bundle/report.html (what was learned).'

peers:
	@sh .ci/peers

test: $(STAMP)
	@sh .ci/peers --if-allowed
	@$(BIN)/python -m pytest -q

check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)
	@sh .ci/peers --if-allowed
	@$(BIN)/python -m bench

docs: $(STAMP)
	@$(BIN)/python docs/images/make.py
	@$(BIN)/python -m tests.interop.differential.table

clean:
	rm -rf $(OUT) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf $(VENV)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
