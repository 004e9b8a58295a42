# Reproduces IDN (Hui, Wang, Gao, CVPR 2018) on real Caffe. `make help` lists the targets.

SCALE ?=
STAGE ?=
GPU ?=
ITERS ?=
METHOD ?=
SETS ?=
DATA ?= data
WEIGHTS ?= weights
HDF5 ?= data/hdf5
OUT ?=

PYTHON ?= python3
PYTHONS ?=
VENV := .venv/bin/python

# as the user wrote them: recipes take these from the environment, between quotes, so that blanks split nothing and neither
# make nor the shell runs what a value holds
export arg_SCALE := $(value SCALE)
export arg_STAGE := $(value STAGE)
export arg_GPU := $(value GPU)
export arg_ITERS := $(value ITERS)
export arg_METHOD := $(value METHOD)
export arg_SETS := $(value SETS)
export arg_DATA := $(value DATA)
export arg_WEIGHTS := $(value WEIGHTS)
export arg_HDF5 := $(value HDF5)
export arg_OUT := $(value OUT)
export arg_PYTHONS := $(value PYTHONS)
# make would expand them once more on the way to a program
unexport SCALE STAGE ITERS METHOD SETS DATA WEIGHTS HDF5 OUT PYTHONS
# --option "VALUE" when the variable NAME is set: $(call passed,NAME,option)
passed = $(if $(value $1),--$2 "$$arg_$1")

# options that are passed on only when they are set
scale := "$${arg_SCALE:-3}"
scales := $(if $(value SCALE),"$$arg_SCALE",2 3 4)
gpu := $(call passed,GPU,gpu)
iters := $(call passed,ITERS,iters)
stage := $(call passed,STAGE,stage)
out := $(call passed,OUT,out)
# `make setup GPU=0` builds anywhere; a target that is to run on a GPU stops at once where there is none
need_gpu := $(if $(value GPU),$(if $(filter setup,$(MAKECMDGOALS)),,--need-gpu))

# a Python that the user names may be none, or one that is too old to parse what it is to run
check_python = $(if $(filter file,$(origin PYTHON)),,$(check_named_python))
check_named_python = refuse() { echo "make: PYTHON=$(PYTHON): $$1; expected a Python from 3.9 on, such as PYTHON=python3.12" >&2; exit 2; }; \
	command -v "$(PYTHON)" >/dev/null || refuse "no such program"; \
	[ "$$("$(PYTHON)" -c 'print(6 * 7)' 2>/dev/null </dev/null)" = 42 ] || refuse "does not run as a Python"; \
	"$(PYTHON)" pycaffe/interpreter.py || exit 2;

.DEFAULT_GOAL := help
.PHONY: help setup wheels fetch prototxt data train benchmark demo report bench readme test test-caffe faults lint clean images training-images weights

## help: print this list
help:
	@echo "make <target> [SCALE=2|3|4] [GPU=0] [STAGE=pretrain|train|finetune] [ITERS=n] [METHOD=name] [SETS=names] [DATA=dir] [WEIGHTS=dir] [HDF5=dir] [OUT=dir]"
	@sed -n 's/^## \([a-z-]*\): /  make \1|/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

# before anything is built or fetched: an option that the last of many steps would refuse
.PHONY: values
values:
	@case "$$arg_SCALE" in ""|2|3|4) ;; *) echo "make: SCALE=$$arg_SCALE: expected 2, 3 or 4" >&2; exit 2;; esac
	@case "$$arg_STAGE" in ""|pretrain|train|finetune) ;; \
		*) echo "make: STAGE=$$arg_STAGE: expected pretrain, train or finetune" >&2; exit 2;; esac
	@case "$$arg_ITERS" in *[!0-9]*|0) echo "make: ITERS=$$arg_ITERS: expected a number of iterations, such as 1000" >&2; exit 2;; esac

## setup: install what is missing, create .venv, build Caffe or take it from the cache; with GPU=0 for NVIDIA GPUs as well
setup: values
	@$(check_python) "$(PYTHON)" tools/setup_environment.py $(need_gpu)

## wheels: build wheels of Caffe that travel, into OUT (default dist), for PYTHONS="3.10 3.12" (default: all that are found)
wheels:
	@$(check_python) set -f; "$(PYTHON)" pycaffe/make_wheels.py $$arg_PYTHONS --out "$${arg_OUT:-dist}" $(if $(value GPU),--cuda)

## fetch: download all images and IDN's weights (107 MB), check each SHA-256; METHOD=VDSR: that method's weights; SETS="Set5 Set14": these sets
fetch: setup
	@set -f; tools/fetch.py --data-dir "$$arg_DATA" --weights-dir "$$arg_WEIGHTS" $(call passed,METHOD,method) $$arg_SETS

## prototxt: write all files of prototxt/generated/ again
prototxt: setup
	@$(VENV) -m prototxt.generate

## data: write the training data of SCALE (default 3) into the folder HDF5 (default data/hdf5); METHOD=VDSR: that method's
data: setup training-images
ifneq ($(filter-out IDN idn,$(value METHOD)),)
	@tools/prepare_data.py --method "$$arg_METHOD" --scale $(scale) --stage train --data-dir "$$arg_DATA" --out "$$arg_HDF5"
	@tools/prepare_data.py --method "$$arg_METHOD" --scale $(scale) --stage val --data-dir "$$arg_DATA" --out "$$arg_HDF5"
else
	@tools/prepare_data.py --scale $(scale) --stage train --data-dir "$$arg_DATA" --out "$$arg_HDF5"
	@tools/prepare_data.py --scale $(scale) --stage finetune --data-dir "$$arg_DATA" --out "$$arg_HDF5"
	@tools/prepare_data.py --scale $(scale) --stage val --data-dir "$$arg_DATA" --out "$$arg_HDF5"
endif

## train: train SCALE (default 3) on GPU (default: the CPU), ITERS iterations; METHOD=VDSR: that network; continues an interrupted training
train: data
	@tools/train.py --scale $(scale) $(call passed,METHOD,method) --data-dir "$$arg_DATA" --hdf5-dir "$$arg_HDF5" $(gpu) $(iters) $(stage) $(out)

## benchmark: measure Tables 2 and 3 and print them beside the paper's figures, into OUT (default runs/benchmark); SETS="Set5 Set14": these sets
benchmark: setup images weights
	@set -f; tools/benchmark.py --tables 2 3 --scales $(scales) $(if $(strip $(value SETS)),--datasets $$arg_SETS) \
		--data-dir "$$arg_DATA" --weights-dir "$$arg_WEIGHTS" $(gpu) --out "$${arg_OUT:-runs/benchmark}"

## demo: data, training, test and picture in a few minutes, on photographs that need no download
demo: setup
	@tools/demo.py $(gpu) $(out)

## report: write one HTML page with tables, figures, curves and comparisons from results/, into OUT (default runs/report)
report: setup
	@tools/html_report.py --data-dir "$$arg_DATA" --weights-dir "$$arg_WEIGHTS" $(call passed,SCALE,scale) $(out)

## bench: measure the speed on the CPU, Caffe's two engines and others that are installed, into OUT (default results/speed)
bench: setup
	@tools/bench_speed.py --weights-dir "$$arg_WEIGHTS" $(out)

## readme: renew the tables of README.md and docs/ from results/
readme: setup
	@tools/readme.py

## test: run all tests, on all cores
test: setup lint
	@$(VENV) -m pytest --numprocesses logical --maxprocesses 8

## test-caffe: run upstream Caffe's own Python and C++ tests with this build (5 minutes the first time)
test-caffe: setup
	@$(VENV) pycaffe/run_upstream_tests.py --out results/caffe_tests.md

## faults: try the tools with damaged files, kills, full disks and nonsense (five minutes)
faults: setup
	@tools/fault_check.py $(out)

## lint: check the style with ruff and pycaffe's type stubs with mypy
lint: setup
	@$(VENV) -m ruff check .
	@$(VENV) -m mypy

## clean: remove the environment and what demo and tests left; keep data, weights and runs
clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# only the project's own folders are filled; a DATA or WEIGHTS of the user's is taken as it is
TEST_SETS := Set5 Set14 BSD100 Urban100
# SETS may name folders of the user's in DATA as well, which nobody offers
TO_FETCH := $(if $(strip $(value SETS)),$(filter $(TEST_SETS),$(value SETS)),$(TEST_SETS))
images: setup
ifeq ($(value DATA),data)
	@$(if $(TO_FETCH),tools/fetch.py --data-dir "$$arg_DATA" $(TO_FETCH),:)
endif

training-images: setup
ifeq ($(value DATA),data)
	@tools/fetch.py --data-dir "$$arg_DATA" 291 Set5
endif

weights: setup
ifeq ($(value WEIGHTS),weights)
	@tools/fetch.py --weights-dir "$$arg_WEIGHTS" weights
endif
