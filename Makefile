# Short on purpose: what each target does is in scripts/.
.DEFAULT_GOAL := help
.PHONY: help run test lint demo instructions bench

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST)

run: ## build the server and start it (http://127.0.0.1:5000, data in ./stele-data)
	cargo build --release --workspace --bin stele
	exec ./target/release/stele serve

test: ## set up everything and run every test
	scripts/test.sh

lint: ## formatting and lints only
	scripts/lint.sh

demo: ## train a few models against the server with the stock MLflow client
	scripts/demo.sh

instructions: ## count the instructions of the hot paths and compare them with the baseline
	scripts/instructions.sh

bench: ## measure against MLflow and FastTrackML, and against the machine (arguments in BENCH)
	scripts/bench.sh $(BENCH)
