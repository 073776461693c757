# One command for each thing; the README, the hooks and CI use the same ones.
.PHONY: help setup run test test-fast test-day lint bench bench-tfx try-xla image sbom test-images try-tpu-image try-executorch try-coreml lock clean

# The first of these that runs and is 3.11 to 3.13; `make PYTHON=/path/to/python` names another.
CANDIDATES := python3.11 python3.12 python3.13 python3
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && { command -v $$p; break; }; done)

# Byte code of our own packages is kept, whatever the shell's setting.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# Two processes for the tests; tests/conftest.py says which stay together. In the files' order, so
# that the long ones come first.
TWO := -n 2 --dist loadscope --no-loadscope-reorder

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: ## Make .venv from the lock; does nothing where that is done
	@test -n "$(PYTHON)" || { echo "tandem: no Python 3.11 to 3.13 found; on Debian and Ubuntu: apt-get install python3 python3-venv python3-dev" >&2; exit 1; }
	@$(PYTHON) infra/host/setup.py

run: setup ## Train, analyse and register the flights models
	@$(BIN)/tandem run flights

test: setup ## All tests
	@$(BIN)/python -m pytest tests $(TWO)

test-fast: setup ## The tests that need no heavy library, for the inner loop
	@HYPOTHESIS_PROFILE=fast $(BIN)/python -m pytest tests -m "not slow" $(TWO)

test-day: setup ## A cluster's day: 500 scheduled runs while pods fail, calls are lost and times come twice
	@TANDEM_SIMULATED_DAYS=250 $(BIN)/python -m pytest tests/kubeflow/test_a_simulated_day.py

lint: setup ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## Measure the default run, the data stages (ten times the rows too), the trainers and the evaluation; write docs/benchmarks*.md
	@$(BIN)/python tests/bench/run.py
	@$(BIN)/python tests/bench/data_stages.py
	@$(BIN)/python tests/bench/training.py
	@$(BIN)/python tests/bench/evaluation.py
	@$(BIN)/python tests/bench/audit.py

bench-tfx: setup ## Measure stock TFX and Tandem on the same flights, compare their numbers (40 minutes); write docs/benchmarks-tfx.md
	@$(BIN)/python tests/bench/against_tfx.py

try-xla: setup ## Train a PyTorch model on torch_xla's CPU device, in an environment of its own (7 GB)
	@test -d .venv-xla || $(BIN)/uv venv --quiet --python 3.11 .venv-xla
	@$(BIN)/uv pip sync --python .venv-xla/bin/python infra/locks/xla.txt
	@PJRT_DEVICE=CPU PYTHONPATH=. .venv-xla/bin/python tests/bench/xla_training.py

image: setup ## Build an image of infra/images (IMAGE=registry VARIANT=cpu; BASE=image, or a Debian made here; RELEASE=yes wants its digest); needs root and buildah
	@PYTHONPATH=. $(BIN)/python infra/images/building.py $(IMAGE) $(VARIANT)

sbom: setup ## Write what each image's lock pins into build/sbom, in CycloneDX
	@$(BIN)/python infra/images/sbom.py --licences .venv --output build/sbom

test-images: setup ## Build the images (IMAGES="registry-cpu pytorch-cuda" for some) and run their stages in them; needs root, minutes and GB, and buildah or mmdebstrap (ENGINE=chroot)
	@PYTHONPATH=.:infra/images $(BIN)/python -m pytest -s tests/infra/tried_images.py

try-tpu-image: setup ## Build the image of tensorflow-tpu (BASE=image, or a Debian made here) and train the newest run's model in it on the CPU; needs root and buildah
	@PYTHONPATH=. $(BIN)/python infra/images/try_tensorflow_tpu.py

try-executorch: setup ## Convert the newest run's PyTorch bundle (or BUNDLE=path) for ExecuTorch and run it, in an environment of its own (1.8 GB)
	@$(BIN)/python infra/host/extra.py executorch
	@PYTHONPATH=. .venv-executorch/bin/python infra/extras/executorch_form.py $(if $(BUNDLE),'$(BUNDLE)')

try-coreml: setup ## Convert the same to Core ML, which runs on macOS alone, in an environment of its own (1.2 GB)
	@$(BIN)/python infra/host/extra.py coreml
	@PYTHONPATH=. .venv-coreml/bin/python infra/extras/coreml_form.py $(if $(BUNDLE),'$(BUNDLE)')

lock: ## Resolve the lock files again, with the newest versions by UPGRADE=--upgrade (needs the network)
	@$(BIN)/python infra/host/lock.py $(UPGRADE)

clean: ## Remove the environment; runs and records in .tandem stay
	@rm -rf .venv .venv-xla .venv-executorch .venv-coreml
