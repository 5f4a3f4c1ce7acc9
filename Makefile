# Two commands do everything on a fresh machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
LOCKS := $(BIN)/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
         --no-emit-find-links --no-header --extra local --extra language
JOBS ?= 2
TESTS ?= tests

.PHONY: demo test test-slow test-loaded lint docs coverage oracles bench-stats bench-table bench-transport bench-reward lock wheel clean

demo: .venv/demo.stamp          ## the whole loop on the bundled example, offline once installed
	$(BIN)/rftj local install
	$(BIN)/rftj demo

test: .venv/dev.stamp           ## the tests; slow ones have targets of their own
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow"

test-slow: .venv/dev.stamp      ## kill -9 thirty times, all published replies, ...
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m slow

test-loaded: .venv/dev.stamp    ## the tests while two busy loops run per core; TESTS=tests/running for a part
	$(BIN)/python tests/loaded.py $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" $(TESTS)

lint: .venv/dev.stamp           ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: .venv/dev.stamp       ## do intervals hold what they promise? Simulated, into docs/coverage.md; most of an hour
	$(BIN)/python -m venv --clear .bench/coverage
	.bench/coverage/bin/python -m pip -q --disable-pip-version-check install --require-hashes -r requirements.lock
	.bench/coverage/bin/python -m pip -q --disable-pip-version-check install judgy evalproof
	PYTHONPATH=. .bench/coverage/bin/python benchmarks/coverage.py --write

oracles: .venv/dev.stamp        ## every formula beside other libraries, into docs/equality.md
	$(BIN)/python -m venv --clear .bench/oracles
	.bench/oracles/bin/python -m pip -q --disable-pip-version-check install scikit-learn statsmodels krippendorff numba
	.bench/oracles/bin/python -m pip -q --disable-pip-version-check install --no-deps irrCAC ppi-python
	PYTHONPATH=. .bench/oracles/bin/python tests/oracles/equality.py --write

bench-stats: .venv/dev.stamp    ## a bootstrap interval of kappa beside scikit-learn and scipy in the same run
	$(BIN)/python benchmarks/stats.py

bench-table: .venv/dev.stamp    ## a million labelled rows, beside judgegate in the same run
	$(BIN)/python benchmarks/table.py

bench-transport: .venv/dev.stamp ## ten thousand calls, beside boto3, the OpenAI SDK and two peers in the same run
	$(BIN)/python benchmarks/transport.py
	$(BIN)/python benchmarks/spell.py

bench-reward: .venv/dev.stamp   ## the reward function: its start, its CPU a sample, 64 samples at once
	$(BIN)/python benchmarks/reward.py

docs: .venv/dev.stamp           ## write the real output of every command into README.md and docs/
	$(BIN)/python tests/docs/refresh.py

wheel: .venv/dev.stamp          ## dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation

lock: .venv/dev.stamp           ## resolve the pinned versions again
	$(LOCKS) --upgrade --extra build -o requirements.lock pyproject.toml
	$(LOCKS) --upgrade --extra build --extra dev -o requirements-dev.lock pyproject.toml
	sed -i 's/^\(awslambdaric==[^ ]*\) /\1 ; sys_platform == "linux" /' requirements-dev.lock  # pip-compile loses the marker

.PHONY: example-grpo
example-grpo:                   ## a real training on the CPU, rewarded by a rubric, beside a control; see examples/grpo
	$(PYTHON) -m venv .bench/grpo
	.bench/grpo/bin/python -m pip -q --disable-pip-version-check install -r examples/grpo/requirements.txt
	.bench/grpo/bin/python -m pip -q --disable-pip-version-check install -e .
	.bench/grpo/bin/rftj local install
	.bench/grpo/bin/python examples/grpo/train.py --arm reward --out .bench/grpo-out/reward
	.bench/grpo/bin/python examples/grpo/train.py --arm shuffled --out .bench/grpo-out/shuffled
	.bench/grpo/bin/python examples/grpo/compare.py .bench/grpo-out
	.bench/grpo/bin/python examples/grpo/curve.py .bench/grpo-out .bench/grpo-out/curve.svg

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "rftj needs Python 3.11 or newer: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv .venv

.venv/demo.stamp: .venv/bin/python requirements.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q rftj_cli
	touch $@

.venv/dev.stamp: .venv/bin/python requirements-dev.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q rftj_cli
	touch $@

clean:
	rm -rf .venv build dist rftj-demo
