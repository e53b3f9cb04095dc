#!/usr/bin/env bash
# Everything CI runs, in the order in which failures are cheapest to find. Stops at the first.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

# Everything that tests use is installed here, so nothing may be skipped for being absent.
export CI=true
# Long enough to catch a target that fails at once; `make fuzz` looks longer.
fuzz_seconds=${TIME:-10}

overall() {
  if [ "$?" = 0 ]; then
    say "overall: PASSED in $SECONDS s"
  else
    say "overall: FAILED after $SECONDS s"
  fi
}
trap overall EXIT

stage 'install' tests/tools/install.sh all
stage 'lint' tests/tools/lint.sh
tests/tools/cargo-test.sh
stage 'component' tests/tools/reproducible.sh
stage 'fuzz' tests/fuzz/run.sh "$fuzz_seconds"
