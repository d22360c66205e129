# Thin: each target is one line that a person could type.
.PHONY: check test format

check: ## style, types, layers, dependencies
	./taizhang check

test: ## the whole suite
	./taizhang test

format: ## what ruff can mend by itself
	.venv/bin/ruff check --fix domain projections workers api tests
