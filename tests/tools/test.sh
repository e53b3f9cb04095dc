#!/usr/bin/env bash
# Everything CI runs, in the order in which failures are cheapest to find. Stops at the first.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

# Everything that tests use is installed here, so nothing may be skipped for being absent.
export CI=true
# The same runs each time, so that a commit does not turn red by chance; `make fuzz` looks further.
export FUZZ_RUNS=${FUZZ_RUNS:-50000}

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
stage 'fuzz' tests/fuzz/run.sh 60
