# Two environments: .venv-run is the base install, what a device has; .venv has everything.
PYTHON ?= python3
RUN := .venv-run/bin
DEV := .venv/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test lint train export artifacts samples figures reality tables pi wheelhouse compat dist bench clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv-run/.installed  ## Base install alone, then 7 + 4 read from a picture
	$(RUN)/mnistsum-run artifacts/samples/seven.png 4

test: .venv/.installed  ## Full environment, then the whole test suite
	$(DEV)/python -m pytest

lint: .venv/.installed  ## ruff (lint and format) and mypy --strict
	$(DEV)/ruff check
	$(DEV)/ruff format --check
	$(DEV)/mypy

train: .venv/.installed  ## Train into runs/sum (interrupted: again with --resume)
	$(DEV)/mnistsum-train

export: .venv/.installed  ## The shipped checkpoint to mnistsum.onnx, proven
	$(DEV)/mnistsum-export

# Everything that is shipped, in order: no file ever speaks of another model.
artifacts: .venv/.installed  ## Regenerate everything that is shipped: training, export, tables
	$(DEV)/mnistsum-train --out runs/sum
	mkdir -p artifacts/sum
	cd runs/sum && cp checkpoint.safetensors metrics.jsonl report.json *.png ../../artifacts/sum/
	$(DEV)/mnistsum-export --samples 10000 --json \
		--output artifacts/mnistsum_artifacts/mnistsum-sum.onnx > runs/sum/export.json
	$(DEV)/mnistsum-export --precision int8 --json \
		--output artifacts/mnistsum_artifacts/mnistsum-sum-int8.onnx > runs/sum/export_int8.json
	cp runs/sum/export.json runs/sum/export_int8.json artifacts/sum/
	$(MAKE) samples figures tables

samples: .venv/.installed
	$(DEV)/python artifacts/make_samples.py

figures: .venv/.installed .venv-run/.installed reality
	$(DEV)/python tests/clean_scans.py artifacts/sum/clean_scans.json
	$(RUN)/mnistsum-bench --json > runs/bench.json
	cp runs/bench.json artifacts/bench.json

# FASHION=/usr/share/datasets/fashion-mnist, of the Debian package dataset-fashion-mnist, adds its row.
FASHION ?=
reality: .venv/.installed  ## Photos of digits, empty sheets and what is no digit: artifacts/sum/*.json
	$(DEV)/python tests/photo_set.py artifacts/sum/photos.json
	$(DEV)/python tests/not_a_digit.py artifacts/sum/not_a_digit.json $(FASHION)

tables: .venv/.installed  ## Write the figures of artifacts/ into README.md
	$(DEV)/python artifacts/make_tables.py

pi: .venv/.installed  ## Wheel, mnistsum-run and mnistsum-verify on an emulated Raspberry Pi 4 and 5
	PYTHONPATH=tests $(DEV)/python -m pi.run_on_pi

wheelhouse: .venv/.installed  ## wheelhouse/: every wheel for a Raspberry Pi without a network
	PYTHONPATH=tests $(DEV)/python -m pi.wheelhouse

compat: .venv/.installed  ## One file per opset on old and new onnxruntime: artifacts/compat.json and compat.md
	PYTHONPATH=tests $(DEV)/python -m compat.measure

dist: .venv/.installed  ## Wheel and sdist into dist/, checked
	rm -rf dist
	$(DEV)/python -m build --outdir dist
	$(DEV)/twine check --strict dist/*

bench: .venv-run/.installed  ## Measure this device: start, memory, latency, throughput
	$(RUN)/mnistsum-bench

clean:  ## Remove environments, builds and trial runs
	rm -rf .venv .venv-run build dist runs wheelhouse .mypy_cache .pytest_cache .ruff_cache

.venv-run/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-run
	$(RUN)/python $(PIP_INSTALL) -e .
	$(RUN)/python -m compileall -q runtime
	touch $@

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(DEV)/python $(PIP_INSTALL) -e '.[dev]'
	touch $@
