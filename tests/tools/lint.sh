#!/usr/bin/env bash
# Everything that can be said about the source without running it. File lengths, import fences and
# the like are tests: tests/it/tidy.rs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh
PATH=$PWD/.tools/bin:$PATH

stage 'wit' sha256sum --check --quiet tests/tools/wit-deps.sha256
stage 'format' cargo fmt --all -- --check
stage 'format of the fuzz targets' cargo fmt --manifest-path tests/fuzz/Cargo.toml -- --check
stage 'clippy' cargo clippy --workspace --all-targets --quiet -- -D warnings
stage 'doc' env RUSTDOCFLAGS='-D warnings' \
  cargo doc --workspace --no-deps --document-private-items --quiet
if command -v cargo-deny >/dev/null; then
  stage 'deny' cargo deny --log-level error check bans licenses sources
else
  say 'stage deny: SKIPPED, cargo-deny is not installed; `make deny` builds and runs it'
fi
