# Every command of the README is a target here. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PRESET ?= demo
# Networks that get random weights made from a seed. WEIGHTS=seeded: all of them.
SEEDED ?= $(if $(filter demo,$(PRESET)),$(if $(wildcard weights/demo/pi3.safetensors),,pi3))
ifeq ($(WEIGHTS),seeded)
SEEDED := pi3 sam2_encoder mask_decoder
endif
# Of the graphs: fp32, fp16, bf16 or mixed (FP16 products, FP32 residual streams).
PRECISION ?= fp32
# FP32 graphs take an order of products and a branch that suit a CPU; FOR=gpu keeps them plain, as TensorRT wants.
FOR ?= cpu
# What ONNX graphs are run by and engines built by: cpu, or gpu for ONNX Runtime's CUDA provider and TensorRT.
DEVICE ?= cpu
# Which torch: a local version such as torch==2.13.0+cpu keeps CUDA away from machines without a GPU.
TORCH ?= torch==2.13.0

BIN := .venv/bin
READY := .venv/.ready
EMPTY :=
# What turns prompts into masks: mvsam, or projection, which needs official checkpoints only.
DECODER ?= mvsam
GRAPHS := build/onnx/$(PRESET)/$(PRECISION)/.$(FOR)_$(DECODER)_seeded_$(subst $(EMPTY) $(EMPTY),_,$(strip $(SEEDED)))

# No console knows every letter.
export PYTHONIOENCODING ?= :backslashreplace

.PHONY: help setup api doctor demo view serve export repository weights parameters engines-check
.PHONY: train-demo train-geometry train-rival evaluate evaluate-demo evaluate-geometry ablations statistics bench calibrate load-test soak faults siege perf
.PHONY: test test-all lint clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
	@echo "Variables: PRESET=demo|demo_photographs|tiny|small|base_plus|large  PRECISION=fp32|fp16|bf16|mixed  RUNTIME=onnxruntime|tensorrt  DECODER=mvsam|projection  WEIGHTS=seeded (random)  BUDGET=30m  HTTP_PORT GRPC_PORT LOG"

setup: $(READY) ## create .venv with everything the other targets need

$(READY): pyproject.toml clients/pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "setuptools==80.9.0" "wheel==0.45.1" "$(TORCH)"
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[networks,export,engines-check,train,$(DEVICE),serve,dev]" -e "clients[viewer]"
	@# sam2 asks for torchvision and builds against torch: neither its dependencies nor build isolation may fetch theirs
	SAM2_BUILD_CUDA=0 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation sam2==1.1.0
	@touch $@

$(GRAPHS): $(READY) $(shell find mvsam/networks export -name '*.py' 2>/dev/null) $(wildcard weights/$(PRESET)/*.safetensors) $(wildcard calibration/islands/$(PRESET).json)
	$(BIN)/python -m export.to_onnx --preset $(PRESET) --precision $(PRECISION) --decoder $(DECODER) $(if $(filter gpu,$(FOR)),--for-gpu) --seeded $(SEEDED) $(if $(filter seeded,$(WEIGHTS)),sam2_decoder)
	@rm -f build/onnx/$(PRESET)/$(PRECISION)/.*_seeded_*
	@touch $@

export: $(GRAPHS) ## networks to ONNX graphs under build/onnx, each compared with PyTorch

# What computes the graphs: onnxruntime, or tensorrt, whose engines `make engines` has built on this machine.
RUNTIME ?= onnxruntime
ifeq ($(RUNTIME),tensorrt)
REPOSITORY_PRECISION = $(ENGINE_PRECISION)
else
REPOSITORY_PRECISION = $(PRECISION)
endif

repository: $(if $(filter tensorrt,$(RUNTIME)),,$(GRAPHS)) ## a servable Triton model repository under build/repository
	$(BIN)/python -m export.repository --preset $(PRESET) --precision $(REPOSITORY_PRECISION) --runtime $(RUNTIME) --decoder $(DECODER)

SERVE := $(if $(HTTP_PORT),--http-port $(HTTP_PORT)) $(if $(GRPC_PORT),--grpc-port $(GRPC_PORT)) $(if $(LOG),--log $(LOG))

serve: repository ## Triton in the foreground; Ctrl-C stops it
	$(BIN)/python -m server.serve --repository build/repository/$(PRESET) $(strip $(SERVE))

demo: repository ## a procedural scene through a real server; pictures in out/demo
	$(BIN)/python -m server.demo --repository build/repository/$(PRESET) --output out/demo

view: repository ## a page in the browser on which to click (PHOTOS=folder: your own photographs)
	$(BIN)/python -m server.view --repository build/repository/$(PRESET) $(PHOTOS)

api: $(READY) ## the client's reference out of its docstrings, to out/api
	$(BIN)/pdoc mvsam_client --output-directory out/api

weights: $(READY) ## which official files go where; checks, pins and converts those that are there
	$(BIN)/python -m mvsam.networks.weights --preset $(if $(filter demo,$(PRESET)),large,$(PRESET))

parameters: $(READY) ## how many parameters each network has
	$(BIN)/python -m mvsam.networks.parameters --preset $(PRESET)

SCENES := out/scenes
# Photographs with masks in SA-1B's format, to train the demo preset on besides synthetic scenes.
PHOTOGRAPHS ?=
train-demo: $(READY) ## train the demo preset's encoder and decoder; run again to go on (BUDGET=30m PHOTOGRAPHS="F.tar …")
	$(BIN)/python -m mvsam.synthetic render --out $(SCENES)/train --count 1600 --views 4 --height 256 --width 256 --workers 2
	$(BIN)/python -m mvsam.synthetic render --out $(SCENES)/held_out --split test --seed 100000 --count 40 --views 4 \
		--height 256 --width 256
	$(if $(PHOTOGRAPHS),$(BIN)/python -m mvsam.training hold-out $(PHOTOGRAPHS) --output out/photographs)
	$(BIN)/python -m mvsam.training decoder --scenes $(SCENES)/train $(if $(PHOTOGRAPHS),--sa1b out/photographs/train.tar --cache out/cache) \
		--held-out $(SCENES)/held_out $(if $(PHOTOGRAPHS),out/photographs/validate.tar) --output out/training/decoder \
		$(if $(BUDGET),--budget $(BUDGET))
	$(BIN)/python -m mvsam.training install --run out/training/decoder

train-geometry: $(READY) ## train the demo preset's small π³; run again to go on (BUDGET=30m for a taste)
	$(BIN)/python -m mvsam.synthetic render --out $(SCENES)/geometry --seed 1000000 --count 3000 --views 8 --height 112 --width 112 \
		--workers 2
	$(BIN)/python -m mvsam.synthetic render --out $(SCENES)/geometry_held_out --split test --seed 110000 --count 64 --views 8 \
		--height 112 --width 112
	$(BIN)/python -m mvsam.training geometry --scenes $(SCENES)/geometry --held-out $(SCENES)/geometry_held_out \
		--output out/training/geometry $(if $(BUDGET),--budget $(BUDGET))
	$(BIN)/python -m mvsam.training install --run out/training/geometry

evaluate-geometry: $(READY) ## pointmaps of the demo's π³ on 50 held-out scenes, compared with the exact ones
	$(BIN)/python -m mvsam.evaluation.pointmaps --preset $(PRESET)

doctor: $(READY) ## what is wrong with the server or this machine, and what to do
	$(BIN)/mvsam doctor

evaluate-demo: repository ## 50 held-out scenes through a real server, beside baselines on the same clicks
	$(BIN)/python -m server.evaluate --repository build/repository/$(PRESET)

train-rival: $(READY) ## train the demo decoder's rival, with 2-D positions, which `make evaluate` compares it with
	$(BIN)/python -m mvsam.evaluation.ablations.rival

# What is compared with what: see docs/evaluation.md. DATA is the data set's folder.
DATASET ?= synthetic
ifeq ($(DATASET),synthetic)
EVALUATE ?= --methods triton 2d 2d-nearest distance --geometry data --corrective-clicks 10 --page docs/evaluation_synthetic.html
else
EVALUATE ?= --methods triton --geometry pi3 --corrective-clicks 10
endif
evaluate: repository ## methods on a data set, to out/benchmarks (DATASET=nvos DATA=F EVALUATE="--methods …")
	$(BIN)/python -m server.benchmark build/repository/$(PRESET) --preset $(PRESET) --dataset $(DATASET) \
		$(if $(DATA),--data $(DATA)) $(EVALUATE)

statistics: $(READY) ## parameters, operations and times of MV-SAM and SAM2-Video, to docs/statistics.md (STATISTICS="--rounds 9")
	$(BIN)/python -m mvsam.evaluation.statistics --preset $(PRESET) $(STATISTICS)

ablations: $(READY) ## the paper's ablations at demo scale to docs/ablations.md; run again to go on
	$(BIN)/python -m mvsam.evaluation.ablations

calibrate: $(READY) ## activation ranges and what FP16 and mixed do to masks, to out/calibration (CALIBRATE="--photographs F")
	$(BIN)/python -m calibration ranges --preset $(PRESET) --seeded $(SEEDED) $(CALIBRATE)

bench: $(GRAPHS) ## time every runtime beside SAM2-Video, to out/bench (BENCH="--parts click --views 20")
	$(BIN)/python -m mvsam.evaluation.speed --preset $(PRESET) --precision $(PRECISION) --seeded $(SEEDED) $(BENCH)

load-test: repository ## clicks and encodes under load, compared and counted, to docs/reliability.md (some 20 minutes)
	$(BIN)/python -m server.trials load --repository build/repository/$(PRESET)

# The last tritonclient whose wheel holds perf_analyzer, in a folder of its own.
ANALYZER := build/perf_analyzer
$(ANALYZER)/bin/perf_analyzer: | $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(ANALYZER) tritonclient==2.51.0

perf: repository $(ANALYZER)/bin/perf_analyzer ## perf_analyzer over ensemble, encode and segment, to docs/perf.md (some 15 minutes)
	$(BIN)/python -m server.trials.perf --repository build/repository/$(PRESET) --client $(ANALYZER) $(PERF)

soak: repository ## thousands of clicks, hundreds of scenes: memory must not grow, to docs/reliability.md (some 10 minutes)
	$(BIN)/python -m server.trials soak --repository build/repository/$(PRESET)

faults: repository ## killed processes, random requests, harmful files, to docs/reliability.md (some 20 minutes)
	$(BIN)/python -m server.trials faults --repository build/repository/$(PRESET)

siege: repository ## attacks beside an honest client: what they get and what they cost, to docs/reliability.md (some 12 minutes)
	$(BIN)/python -m server.trials siege --repository build/repository/$(PRESET)

# Engines are held against the FP32 graphs.
ENGINES := --preset $(PRESET) --seeded $(SEEDED)
ENGINE_PRECISION = $(if $(filter file,$(origin PRECISION)),mixed,$(PRECISION))

.PHONY: reference-graphs engine-graphs
reference-graphs: $(READY)
	$(MAKE) --no-print-directory export PRECISION=fp32 FOR=gpu
engine-graphs: $(READY)
	$(MAKE) --no-print-directory export PRECISION=$(ENGINE_PRECISION)

engines: reference-graphs engine-graphs ## TensorRT engines for this machine's GPU, installed if their masks are those of FP32
	$(BIN)/python -m export.engines_command $(ENGINES) --precision $(ENGINE_PRECISION)

# Masks are compared for the demo preset alone; the others' graphs are only built.
engines-check: $(if $(filter demo,$(PRESET)),reference-graphs) engine-graphs ## the same without a GPU: TensorRT-RTX builds, PyTorch stands in; installs nothing
	POLYGRAPHY_USE_TENSORRT_RTX=1 $(BIN)/python -m export.engines_command $(ENGINES) --precision $(ENGINE_PRECISION) \
		--scenes $(if $(filter demo,$(PRESET)),4,0)

test: $(READY) ## the tests, in minutes
	$(BIN)/python -m pytest -n 2

test-all: $(READY) ## the tests, the full-size ones too
	$(BIN)/python -m pytest -m "slow or not slow"

lint: $(READY) ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean: ## remove what was built, keep .venv and weights
	rm -rf build out
