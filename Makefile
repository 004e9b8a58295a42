# Reproduces IDN (Hui, Wang, Gao, CVPR 2018) on real Caffe. `make help` lists the targets.

SCALE ?=
STAGE ?=
GPU ?=
ITERS ?=
METHOD ?=
DATA ?= data
WEIGHTS ?= weights
HDF5 ?= data/hdf5
OUT ?=

PYTHON ?= python3
VENV := .venv/bin/python

# options that are passed on only when they are set
scale := $(or $(SCALE),3)
scales := $(or $(SCALE),2 3 4)
gpu := $(if $(GPU),--gpu $(GPU))
iters := $(if $(ITERS),--iters $(ITERS))
stage := $(if $(STAGE),--stage $(STAGE))
out := $(if $(OUT),--out $(OUT))
# `make setup GPU=0` builds anywhere; a target that is to run on a GPU stops at once where there is none
need_gpu := $(if $(GPU),$(if $(filter setup,$(MAKECMDGOALS)),,--need-gpu))

.DEFAULT_GOAL := help
.PHONY: help setup fetch prototxt data train benchmark demo report bench readme test test-caffe faults lint clean images weights

## help: this list
help:
	@echo "make <target> [SCALE=2|3|4] [GPU=0] [STAGE=pretrain|train|finetune] [ITERS=n] [METHOD=name] [DATA=dir] [WEIGHTS=dir] [HDF5=dir] [OUT=dir]"
	@sed -n 's/^## \([a-z-]*\): /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

## setup: install what is missing, build Caffe (or take it from the cache), make .venv; GPU=0: Caffe for NVIDIA GPUs as well
setup:
	@$(PYTHON) tools/setup_environment.py $(need_gpu)

## fetch: images and released weights from the authors' repository, checked by SHA-256; METHOD=VDSR: that method's weights
fetch: setup
	@tools/fetch.py --data-dir $(DATA) --weights-dir $(WEIGHTS) $(if $(METHOD),--method $(METHOD))

## prototxt: write prototxt/generated/ anew
prototxt: setup
	@$(VENV) -m prototxt.generate

## data: HDF5 databases of a scale (SCALE, default 3) into HDF5 (default data/hdf5): train, finetune, val
data: setup images
	@tools/prepare_data.py --scale $(scale) --stage train --data-dir $(DATA) --out $(HDF5)
	@tools/prepare_data.py --scale $(scale) --stage finetune --data-dir $(DATA) --out $(HDF5)
	@tools/prepare_data.py --scale $(scale) --stage val --data-dir $(DATA) --out $(HDF5)

## train: pretrain, train, finetune (SCALE, default 3; GPU, default the CPU; ITERS scales it down); resumes by itself
train: data
	@tools/train.py --scale $(scale) --data-dir $(DATA) --hdf5-dir $(HDF5) $(gpu) $(iters) $(stage) $(out)

## benchmark: Tables 2 and 3 beside the paper's, into OUT (default runs/benchmark)
benchmark: setup images weights
	@tools/benchmark.py --tables 2 3 --scales $(scales) --data-dir $(DATA) --weights-dir $(WEIGHTS) $(gpu) \
		--out $(or $(OUT),runs/benchmark)

## demo: the whole job in some minutes on photographs that scikit-image ships
demo: setup
	@tools/demo.py $(gpu) $(out)

## report: one HTML file with tables, figures, curves and comparisons from results/, into OUT (default runs/report)
report: setup
	@tools/html_report.py --data-dir $(DATA) --weights-dir $(WEIGHTS) $(if $(SCALE),--scale $(SCALE)) $(out)

## bench: seconds on the CPU, Caffe's two engines beside others that are installed, into OUT (default results/speed)
bench: setup
	@tools/bench_speed.py --weights-dir $(WEIGHTS) $(out)

## readme: renew the README's tables from results/
readme: setup
	@tools/readme.py

## test: all tests
test: setup lint
	@$(VENV) -m pytest

## test-caffe: upstream Caffe's own Python and C++ tests against this build (5 minutes the first time)
test-caffe: setup
	@$(VENV) pycaffe/run_upstream_tests.py --out results/caffe_tests.md

## faults: try the tools with damage, kills, full disks and nonsense (five minutes)
faults: setup
	@tools/fault_check.py $(out)

## lint: ruff
lint: setup
	@$(VENV) -m ruff check .

## clean: remove the environment and what demo and tests left; keeps data, weights and runs
clean:
	rm -rf .venv demo .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# only the project's own folders are filled; a DATA or WEIGHTS of the user's is taken as it is
images: setup
ifeq ($(DATA),data)
	@tools/fetch.py --data-dir $(DATA) 291 Set5 Set14
endif

weights: setup
ifeq ($(WEIGHTS),weights)
	@tools/fetch.py --weights-dir $(WEIGHTS) weights
endif
