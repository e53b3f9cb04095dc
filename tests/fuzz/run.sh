#!/bin/sh
# Fuzzes each target for some seconds, on stable Rust, without cargo-fuzz and without sanitizers.
#
#   tests/fuzz/run.sh SECONDS [target…]        all targets by default
#
# The coverage that libFuzzer steers by comes from LLVM's own pass, which stable can switch on.
# Safe Rust has little for an address sanitizer to find; what is looked for are broken laws.
# What is found goes to artifacts/<target>/, what was learnt to corpus/<target>/.
set -eu

# FUZZ_RUNS=N makes N runs of each target instead, always the same ones.
seconds=${1:?usage: run.sh SECONDS [target…]}
shift
cd "$(dirname "$0")"
triple=$(rustc -vV | sed -n 's/^host: //p')
if [ $# -eq 0 ]; then
    for file in fuzz_targets/*.rs; do
        set -- "$@" "$(basename "$file" .rs)"
    done
fi

RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
export RUSTFLAGS
# With --target the flags stay away from build scripts, which could not link the coverage hooks.
cargo build --release --features libfuzzer --target "$triple"

for target in "$@"; do
    if [ -n "${FUZZ_RUNS-}" ]; then
        bound="-runs=$FUZZ_RUNS -seed=1"
    else
        bound="-max_total_time=$seconds"
    fi
    echo "fuzz: $target $bound"
    mkdir -p "corpus/$target" "artifacts/$target"
    "${CARGO_TARGET_DIR:-target}/$triple/release/$target" \
        $bound -timeout=5 -rss_limit_mb=1024 -max_len=8192 \
        -artifact_prefix="artifacts/$target/" -print_final_stats=1 -verbosity=0 \
        "corpus/$target" "seeds/$target"
done
