#!/usr/bin/env bash
# Builds the component and says its size and hash. The last line is the path of the file.
#
#   guest.sh [DIRECTORY]   a clone of this repository, otherwise this one
#
# The directory, the cargo home and the flags of whoever builds leave no trace in the file. The
# build script of host/runtime builds it in the same way.
set -euo pipefail
root=$(cd "${1:-$(dirname "$0")/../..}" && pwd)
source "$(dirname "$0")/say.sh"

home=${CARGO_HOME:-$HOME/.cargo}
target=${CARGO_TARGET_DIR:-$root/target}/component
unset RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
# \x1f parts the flags, so that a path may have spaces.
flags="--remap-path-prefix=$root=/spanbridge"$'\x1f'"--remap-path-prefix=$home=/cargo"

# The directory matters too: rustup picks the toolchain by it.
cd "$root"
CARGO_ENCODED_RUSTFLAGS=$flags cargo build --quiet --target-dir "$target" \
  -p spanbridge-guest --profile guest --target wasm32-wasip2

file=$target/wasm32-wasip2/guest/spanbridge_guest.wasm
say "component: $(stat -c %s "$file") bytes, sha256 $(sha256sum <"$file" | cut -d' ' -f1)"
printf '%s\n' "$file"
