# Each target is a few lines; what has to decide something is a script in tests/tools.
TIME ?= 60
.DEFAULT_GOAL := help
.PHONY: help build guest demo check test lint fmt fuzz soak client-suite bench bench-gateway bench-extensions redis-module rabbitmq-plugin doc wit deny tools clean

help: ## prints this list
	@echo 'usage: make TARGET'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## builds the program, the component in it: target/release/spanbridge
	cargo build --release -p spanbridge-gateway --bin spanbridge

guest: ## builds the component alone, and says its size and hash
	tests/tools/guest.sh

demo: ## installs what is missing, and shows one trace through a queue
	tests/tools/install.sh linker wasm
	cargo run -p spanbridge-gateway --bin spanbridge -- demo

check: ## lints and tests with what is installed: what needs a missing broker says so and is skipped
	tests/tools/lint.sh
	tests/tools/cargo-test.sh

test: ## installs what is missing, and runs everything CI runs
	tests/tools/test.sh

lint: ## formatting, clippy, documentation, vendored WIT, dependencies
	tests/tools/lint.sh

fmt: ## formats the code
	cargo fmt --all
	cargo fmt --manifest-path tests/fuzz/Cargo.toml

fuzz: ## fuzzes each target for TIME seconds (60)
	tests/tools/install.sh linker wasm fuzz
	tests/fuzz/run.sh $(TIME)

bench: ## measures the call path, and prints the table
	cargo build --release -p spanbridge-bench --bins
	cargo run --release -p spanbridge-bench

soak: ## looks for lost bytes and spans and for growing memory, twice for TIME seconds
	tests/tools/install.sh linker wasm python
	tests/tools/soak.sh $(TIME)

client-suite: ## runs nats-py's own tests against a server and through a gateway, and compares
	tests/tools/install.sh linker wasm python
	cargo build --workspace --bins --tests
	tests/tools/nats-py-suite.sh

bench-gateway: ## measures the gateway beside HAProxy, ten minutes a protocol; ARGS='redis --quick'
	tests/tools/install.sh linker wasm python rabbitmq redis bench
	cargo build --release -p spanbridge-gateway --bin spanbridge
	cargo run --release -p spanbridge-bench --bin spanbridge-bench-gateway -- $(ARGS)

bench-extensions: redis-module rabbitmq-plugin ## measures brokers with our extension in them and without; ARGS=--quick
	cargo build --release -p spanbridge-bench --bin spanbridge-bench-gateway
	cargo run --release -p spanbridge-bench --bin spanbridge-bench-gateway -- extension $(ARGS)

redis-module: ## builds what redis-server loads: target/extension-of/default/libspanbridge_redis.so
	tests/tools/install.sh linker wasm
	tests/tools/extension.sh spanbridge-redis-module libspanbridge_redis.so

rabbitmq-plugin: ## builds the plugin for RabbitMQ: target/rabbitmq-plugin/*.ez
	tests/tools/install.sh linker wasm rabbitmq
	host/rabbitmq-plugin/build.sh target/rabbitmq-plugin

doc: ## builds the documentation, private items too
	cargo doc --workspace --no-deps --document-private-items

wit: ## checks that the vendored WIT is the pinned one, and that the contract compiles
	sha256sum --check tests/tools/wit-deps.sha256
	cargo check -p spanbridge-guest --target wasm32-wasip2

deny: ## checks licences, sources and versions of dependencies; builds cargo-deny the first time
	tests/tools/install.sh deny
	PATH="$(CURDIR)/.tools/bin:$$PATH" cargo deny --log-level error check bans licenses sources

tools: ## installs everything that the tests use
	tests/tools/install.sh all

clean: ## removes what was built and installed in this directory
	cargo clean
	rm -rf .tools tests/fuzz/target tests/fuzz/corpus tests/fuzz/artifacts
