#!/usr/bin/env bash
# Builds what a broker loads into its own process, and says its size. The last line is its path.
#
#   extension.sh PACKAGE FILE [NAME COMPONENT]
#
# FILE is what cargo calls the library. COMPONENT is built in instead of the program's own, and the
# library is put where tests look for one of that NAME.
#
# A package of its own, and not the workspace: there the features of all packages come together,
# and the extension would have the compiler that the program needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

package=$1 file=$2 name=${3:-default} component=${4:-}
target=${CARGO_TARGET_DIR:-target}
out=$target/extension-of/$name
code=$out/component.code
mkdir -p "$out"
# With the tests, as everywhere, so that nothing is built once more with other features.
cargo build --workspace --bins --tests --quiet
"$target/debug/spanbridge" component precompile --output "$code" \
  ${component:+--component "$component"}
# Cargo has one place for it, whatever component is in it, so it cannot tell that both are fresh.
sources=(host guest wit Cargo.toml Cargo.lock rust-toolchain.toml)
if [ "$out/$file" -nt "$code" ] &&
  [ -z "$(find "${sources[@]}" -type f -newer "$out/$file" -print -quit)" ]; then
  say "$package with the component $name is fresh"
  printf '%s\n' "$out/$file"
  exit
fi
SPANBRIDGE_PRECOMPILED=$(realpath "$code") CARGO_INCREMENTAL=0 \
  cargo build --quiet --package "$package" --profile extension
# Not over the file: a server that has it loaded runs what is in it.
cp "$target/extension/$file" "$out/$file.new"
mv "$out/$file.new" "$out/$file"
say "$package with the component $name: $(stat -c %s "$out/$file") bytes"
printf '%s\n' "$out/$file"
