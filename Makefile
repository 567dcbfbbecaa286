# Every command of the README is a target here. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PRESET ?= demo
WEIGHTS ?= $(if $(filter demo,$(PRESET)),seeded,files)
# Which torch: a local version such as torch==2.13.0+cpu keeps CUDA away from machines without a GPU.
TORCH ?= torch==2.13.0

BIN := .venv/bin
READY := .venv/.ready
GRAPHS := build/onnx/$(PRESET)/.$(WEIGHTS)

.PHONY: help setup demo serve export repository weights parameters engines-check test test-all lint clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
	@echo "Variables: PRESET=demo|tiny|small|base_plus|large  WEIGHTS=files|seeded  HTTP_PORT GRPC_PORT METRICS_PORT"

setup: $(READY) ## create .venv with everything the other targets need

$(READY): pyproject.toml clients/pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "setuptools==80.9.0" "wheel==0.45.1" "$(TORCH)"
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[networks,export,engines-check,train,cpu,serve,dev]" -e clients
	@# sam2 asks for torchvision and builds against torch: neither its dependencies nor build isolation may fetch theirs
	SAM2_BUILD_CUDA=0 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation sam2==1.1.0
	@touch $@

$(GRAPHS): $(READY) $(shell find mvsam/networks export -name '*.py' 2>/dev/null)
	$(BIN)/python -m export.to_onnx --preset $(PRESET) --weights $(WEIGHTS)
	@rm -f build/onnx/$(PRESET)/.files build/onnx/$(PRESET)/.seeded
	@touch $@

export: $(GRAPHS) ## networks to ONNX graphs under build/onnx, each compared with PyTorch

repository: $(GRAPHS) ## a servable Triton model repository under build/repository
	$(BIN)/python -m export.repository --preset $(PRESET)

PORTS := $(if $(HTTP_PORT),--http-port $(HTTP_PORT)) $(if $(GRPC_PORT),--grpc-port $(GRPC_PORT))
PORTS += $(if $(METRICS_PORT),--metrics-port $(METRICS_PORT))

serve: repository ## Triton in the foreground; Ctrl-C stops it
	$(BIN)/python -m server.serve --repository build/repository/$(PRESET) $(strip $(PORTS))

demo: PRESET := demo
demo: repository ## a procedural scene through a real server; pictures in out/demo
	$(BIN)/python -m server.demo --repository build/repository/$(PRESET) --output out/demo

weights: $(READY) ## which official files go where; checks, pins and converts those that are there
	$(BIN)/python -m mvsam.networks.weights --preset $(if $(filter demo,$(PRESET)),large,$(PRESET))

parameters: $(READY) ## how many parameters each network has
	$(BIN)/python -m mvsam.networks.parameters --preset $(PRESET)

engines-check: $(GRAPHS) ## TensorRT-RTX parses the graphs and builds engines, on this CPU
	$(BIN)/python -m export.engines_check --preset $(PRESET)

test: $(READY) ## the tests, in minutes
	$(BIN)/python -m pytest

test-all: $(READY) ## the tests, the full-size ones too
	$(BIN)/python -m pytest -m "slow or not slow"

lint: $(READY) ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean: ## remove what was built, keep .venv and weights
	rm -rf build out
