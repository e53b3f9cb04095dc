#!/usr/bin/env bash
# Looks for lost bytes, lost spans and growing memory, three times for so many seconds: random traffic
# with faults through the relay of NATS, in memory; random sessions through that of Redis; then a
# gateway between real clients and a real server.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

[ $# = 1 ] || die "usage: soak.sh SECONDS"
export SPANBRIDGE_SIMULATION_SECONDS=$1 SPANBRIDGE_SOAK_SECONDS=$1

# A soak that was skipped has shown nothing.
export CI=true
stage 'build' cargo build --workspace --bins --tests
stage 'simulation' cargo test --workspace --test nats_relay -- \
  --ignored --nocapture random_seeds
stage 'simulation of Redis' cargo test --workspace --test redis_relay -- \
  --ignored --nocapture random_seeds
stage 'soak' cargo test --workspace --test it -- --nocapture soak::
