#!/usr/bin/env bash
# Builds and packs the plugin: build.sh OUT [COMPONENT]
#
# The archive lands in OUT. COMPONENT is built in instead of ours.
#
# The packages are built by themselves, and not with the workspace: there the features of all come
# together, and the broker would load a compiler.
set -euo pipefail
out=$(mkdir -p "$1" && realpath "$1")
[ -z "${2:-}" ] || component=$(realpath "$2")
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
code=$out/component.code
# With the tests, as everywhere, so that nothing is built once more with other features.
cargo build --workspace --bins --tests --quiet
"$target/debug/spanbridge" component precompile ${component:+--component "$component"} --output "$code"
SPANBRIDGE_PRECOMPILED=$(realpath "$code") CARGO_INCREMENTAL=0 cargo build --quiet \
  --package spanbridge-rabbitmq --package spanbridge-rabbitmq-nif --profile extension
host/rabbitmq-plugin/package.sh "$target/extension" "$out"
