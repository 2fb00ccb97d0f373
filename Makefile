# The two commands of the README are `make demo` and `make test`; both set up what they need.
.PHONY: setup demo test lint bench soak clean

bin := .venv/bin

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt scripts/setup.sh
	bash scripts/setup.sh

demo: setup
	$(bin)/rtasmr demo

# xvfb-run may have been installed by the set-up just now, so it is looked up again.
test: setup
	@if command -v xvfb-run >/dev/null 2>&1; then \
	  xvfb-run -a -s '-screen 0 1400x900x24' $(bin)/python -m pytest -m 'not bench and not soak and not gpu'; \
	else \
	  QT_QPA_PLATFORM=offscreen $(bin)/python -m pytest -m 'not bench and not soak and not gpu'; \
	fi

lint: setup
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/codespell

bench: setup
	$(bin)/python -m pytest -m bench tests/benchmarks -s

# Hours; what is finished stands in soak/results.json and is not run again. One part: make soak ONLY=kills
soak: setup
	$(bin)/python -m pytest -m soak tests/soak -s $(if $(ONLY),-k '$(ONLY)')

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
