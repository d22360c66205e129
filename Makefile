# Thin: each target is one line that a person could type.
.PHONY: check test bench format

check: ## style, types, layers, dependencies
	./taizhang check

test: ## the whole suite
	./taizhang test

bench: ## every ratio of docs/performance.md, measured here and now; QUICK=1 within ten minutes, ONLY=growing one part
	./taizhang bench $(ONLY)

format: ## what ruff can mend by itself
	.venv/bin/ruff check --fix domain projections workers api bench tests
