# Two environments: .venv-run is the base install, what a device has; .venv has everything.
PYTHON ?= python3
RUN := .venv-run/bin
DEV := .venv/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test lint train notebook folds seeds race export artifacts sizes samples figures reality writers tables pi pi-possible boards wheelhouse lock compat \
	faults campaign zoo web browser page dist bench batch-bench serve-bench clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv-run/.installed  ## Base install alone, then 7 + 4 read from a picture
	$(RUN)/mnistsum-run artifacts/samples/seven.png 4

test: .venv/.installed  ## Full environment, then the whole test suite (10 to 20 minutes)
	$(DEV)/python -m pytest

lint: .venv/.installed  ## ruff (lint and format) and mypy --strict
	$(DEV)/ruff check
	$(DEV)/ruff format --check
	$(DEV)/mypy

train: .venv/.installed  ## Train into runs/sum (10 minutes to an hour; interrupted: again with --resume)
	$(DEV)/mnistsum-train

notebook: .venv/.installed .venv-run/.installed  ## Run train/tutorial.ipynb from a clean kernel, and keep its outputs (3 to 4 minutes)
	$(DEV)/python train/execute_tutorial.py

folds: .venv/.installed  ## Judge base's recipe on all 60,000 training pictures, each held out once (1 to 4 hours)
	$(DEV)/python -m mnistsum_train.folds --out runs/folds-base

seeds: .venv/.installed  ## Train base from several seeds; mean, spread, the sheet of errors (hours)
	$(DEV)/python -m mnistsum_train.folds --out runs/folds-base
	$(call held_out,nano,sum,folds-nano,1)
	$(DEV)/python -m mnistsum_train.studies.seeds --out runs/seeds
	cp runs/seeds/seeds.json runs/seeds/mistakes_over_seeds.png artifacts/
	$(MAKE) tables

race: .venv/.installed  ## Seconds to 99.0 %, beside PyTorch's own MNIST example (10 minutes); let nothing else run
	$(DEV)/python -m mnistsum_train.studies.race --out runs/race
	cp runs/race/race.json runs/race/race.png artifacts/
	$(MAKE) tables

export: .venv/.installed  ## The shipped checkpoint to mnistsum.onnx, proven
	$(DEV)/mnistsum-export

# What networks of a recipe answer for pictures that they have not learnt from: a model that learns from all pictures has its
# temperatures and its limit from there. base has all six folds; for the others, folds of twelve epochs and 10,000 pictures, of
# which this makes some. $(1) preset, $(2) operation, $(3) folder,
# $(4) how many
define held_out
	$(DEV)/python -m mnistsum_train.folds --preset $(1) --operation $(2) --screen --first $(4) --out runs/$(3)
endef

# $(1) preset, $(2) operation, $(3) folder under runs/, $(4) folder under artifacts/, $(5) the model file without .onnx,
# $(6) folder of its held-out answers
define shipped_model
	$(DEV)/mnistsum-train --preset $(1) --operation $(2) --folds runs/$(6) --out runs/$(3) --resume
	mkdir -p artifacts/$(4)
	cd runs/$(3) && cp checkpoint.safetensors metrics.jsonl report.json *.png ../../artifacts/$(4)/
	$(DEV)/mnistsum-export --checkpoint artifacts/$(4)/checkpoint.safetensors --samples 10000 --json \
		--output artifacts/$(5).onnx > runs/$(3)/export.json
	cp runs/$(3)/export.json artifacts/$(4)/
endef

# $(1) folder under artifacts/, $(2) the model file without .onnx
define shipped_int8
	$(DEV)/mnistsum-export --checkpoint artifacts/$(1)/checkpoint.safetensors --precision int8 --json \
		--output artifacts/$(2)-int8.onnx > runs/export_int8.json
	mv runs/export_int8.json artifacts/$(1)/
endef

# Everything that is shipped, in order: no file ever speaks of another model. What was interrupted goes on, and a training that
# runs/ has finished is not repeated (`make clean` before it, after a change to the code of the training). `make seeds` then
# finds seed 0 finished.
artifacts: .venv/.installed  ## Regenerate everything that is shipped: training, export, tables (a day)
	$(DEV)/python -m mnistsum_train.folds --out runs/folds-base
	$(call shipped_model,base,sum,base-0,sum,mnistsum_artifacts/mnistsum-sum,folds-base)
	cp runs/folds-base/folds.json artifacts/sum/
	$(call shipped_int8,sum,mnistsum_artifacts/mnistsum-sum)
	$(call held_out,base,product,folds-product,1)
	$(call shipped_model,base,product,product,product,mnistsum_artifacts/mnistsum-product,folds-product)
	$(call shipped_int8,product,mnistsum_artifacts/mnistsum-product)
	$(call held_out,nano,sum,folds-nano,1)
	$(call shipped_model,nano,sum,nano-0,sum-nano,sum-nano/mnistsum-sum-nano,folds-nano)
	$(call shipped_model,large,sum,large-0,sum-large,sum-large/mnistsum-sum-large,folds-base)
	$(MAKE) samples figures sizes tables

sizes: .venv-run/.installed  ## Measure every shipped model side by side: artifacts/sizes.json (2 minutes)
	$(RUN)/python artifacts/measure_sizes.py

samples: .venv/.installed
	$(DEV)/python artifacts/make_samples.py
	$(DEV)/mnistsum-run artifacts/samples/ 4 --explain artifacts/explained.png
	$(DEV)/python artifacts/make_panel.py

figures: .venv/.installed .venv-run/.installed reality
	$(DEV)/python tests/clean_scans.py artifacts/sum/clean_scans.json
	$(RUN)/mnistsum-bench --json > runs/bench.json
	cp runs/bench.json artifacts/bench.json

# FASHION=/usr/share/datasets/fashion-mnist, of the Debian package dataset-fashion-mnist, adds its row.
FASHION ?=
reality: .venv/.installed  ## Photos of digits, empty sheets and what is no digit: artifacts/sum/*.json (5 minutes)
	$(DEV)/python tests/photo_set.py artifacts/sum/photos.json
	$(DEV)/python tests/not_a_digit.py artifacts/sum/not_a_digit.json $(FASHION)

# The folder with the sets: README.md, "Digits of other people", says what is looked for in it.
WRITERS ?= ../shared/data
writers: .venv/.installed  ## Every shipped model on digits that are not MNIST's, from WRITERS=folder (2 minutes)
	$(DEV)/python artifacts/measure_writers.py "$(WRITERS)"
	$(MAKE) tables

tables: .venv/.installed  ## Write the figures of artifacts/ into the pages
	$(DEV)/python artifacts/make_tables.py

pi-possible:
	@PYTHONPATH=tests $(PYTHON) -m pi.possible

# ALL=1 tries Debian's own packages on a 64-bit Pi 5 and a PC too.
pi: pi-possible .venv/.installed  ## The lines of runtime/platforms.md on an emulated Raspberry Pi 4, 5 and 2; needs Debian and root (20 minutes)
	PYTHONPATH=tests $(DEV)/python -m pi.run_on_pi $(if $(ALL),--all)

boards: pi-possible .venv/.installed  ## Processors against onnxruntime builds: artifacts/boards.json (half an hour; goes on where it stopped)
	PYTHONPATH=tests $(DEV)/python -m boards.measure
	$(MAKE) tables

wheelhouse: .venv-wheelhouse/.installed  ## wheelhouse/: all that a 64-bit Raspberry Pi installs, with hashes (a minute)
	PYTHONPATH=tests .venv-wheelhouse/bin/python -m pi.wheelhouse

lock: .venv-wheelhouse/.installed  ## runtime/requirements-pi.txt anew from constraints.txt: the wheels of a Pi by their SHA-256
	PYTHONPATH=tests .venv-wheelhouse/bin/python -m pi.lock

compat: .venv/.installed  ## One file per opset on old and new onnxruntime: artifacts/compat.json and compat.md (5 minutes)
	PYTHONPATH=tests $(DEV)/python -m compat.measure

faults: .venv/.installed  ## Planted faults before the proof, torch and Polygraphy: artifacts/faults.json (3 minutes)
	PYTHONPATH=tests $(DEV)/python -m faults.measure
	$(MAKE) tables

# COUNT=1000 tries of each campaign, SEED=1 for others; FULL=1 writes artifacts/campaign.json.
campaign: .venv/.installed  ## What must break nothing: hostile files, kills, odd surroundings (10 minutes; FULL=1: two hours)
	PYTHONPATH=tests $(DEV)/python -m campaign.run $(if $(FULL),--full) $(if $(COUNT),--count $(COUNT)) --seed $(or $(SEED),0)

zoo: .venv/.installed  ## Prove 82 architectures, and count false alarms: artifacts/zoo.json (17 minutes)
	PYTHONPATH=tests $(DEV)/python -W ignore -m zoo.measure
	PYTHONPATH=tests $(DEV)/python -W ignore -m zoo.measure --false-alarms
	$(MAKE) tables

web: .venv/.installed  ## .web/: onnxruntime for browsers from npm, checked, for mnistsum-export --page
	$(DEV)/python -m mnistsum_export.page.onnxruntime_web

BROWSERS := chromium firefox-esr fonts-dejavu-core
browser: web  ## Draw on both pages in Debian's chromium and Firefox; screenshots in runs/browser (5 minutes)
	@command -v chromium firefox-esr | wc -l | grep -q 2 || if [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $(BROWSERS) > /dev/null; \
	else \
		echo "a browser is missing, and root alone can install it: apt-get install $(BROWSERS)" >&2; exit 1; \
	fi
	$(DEV)/python -m pytest tests/browser

page: web  ## The page in one file, measured in both browsers: artifacts/page.json
	PYTHONPATH=tests $(DEV)/python -m browser.measure
	$(MAKE) tables

dist: .venv/.installed  ## Wheel and sdist into dist/, checked
	rm -rf dist
	$(DEV)/python -m build --outdir dist
	$(DEV)/twine check --strict dist/*

# wrk asks, of the Debian package; MLServer 1.7.1 does not start with a newer uvloop.
serve-bench: .venv-serve-bench/.installed  ## mnistsum-serve beside MLServer and LitServe: artifacts/serve.json (5 minutes)
	PYTHONPATH=tests .venv-serve-bench/bin/python -m serving.measure
	$(MAKE) tables

batch-bench: .venv/.installed  ## mnistsum-batch, here and on a cluster, and torchrun: artifacts/batch.json (half an hour)
	PYTHONPATH=tests $(DEV)/python -m batching.measure
	$(MAKE) tables

bench: .venv-run/.installed  ## Measure this device: start, memory, latency, throughput
	$(RUN)/mnistsum-bench

clean:  ## Remove environments, builds and trial runs
	rm -rf .venv .venv-run .venv-serve-bench .venv-wheelhouse build dist runs wheelhouse .web .mypy_cache .pytest_cache .ruff_cache

.venv-run/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-run
	$(RUN)/python $(PIP_INSTALL) -e .
	$(RUN)/python -m compileall -q runtime
	touch $@

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(DEV)/python $(PIP_INSTALL) -e '.[dev]'
	touch $@

# Without torch: it packs what others run.
.venv-wheelhouse/.installed: constraints.txt
	$(PYTHON) -m venv .venv-wheelhouse
	.venv-wheelhouse/bin/python $(PIP_INSTALL) click
	touch $@

.venv-serve-bench/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-serve-bench
	.venv-serve-bench/bin/python $(PIP_INSTALL) -e '.[serve]' mlserver==1.7.1 litserve==0.2.19 uvloop==0.21.0 'tritonclient[http]'
	touch $@
