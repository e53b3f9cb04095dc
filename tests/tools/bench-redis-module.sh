#!/usr/bin/env bash
# What the Redis module costs an XADD: processor time of redis-server, without the module, with it
# switched off, and with it. Rounds are interleaved, because machines have slow and fast phases.
#
#   bench-redis-module.sh [ROUNDS] [REQUESTS]
#
# A column is the median of the rounds, in microseconds an XADD: of the thread that runs commands,
# and of the whole process. Spans go to a port where nobody listens, as none of this measures.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

rounds=${1:-7} requests=${2:-200000}
module=$(realpath "${CARGO_TARGET_DIR:-target}/extension-of/default/libspanbridge_redis.so")
folder=$(mktemp -d)
declare -A port pid
finish() {
  for name in "${!pid[@]}"; do kill "${pid[$name]}" || true; done
  wait
  rm -rf "$folder"
}
trap finish EXIT

start() {
  local name=$1 at=$2
  shift 2
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 redis-server --port "$at" --bind 127.0.0.1 \
    --save '' --dir "$folder" "$@" >"$folder/$name.log" &
  port[$name]=$at pid[$name]=$!
  for _ in $(seq 100); do
    redis-cli -p "$at" PING >/dev/null 2>&1 && return
    sleep 0.05
  done
  die "$(cat "$folder/$name.log")"
}

# Ticks of 10 ms, of a file in /proc: user and system.
ticks() { awk '{ print $14 + $15 }' "$1"; }

start none 17401
start off 17402 --loadmodule "$module" streams '*'
redis-cli -p 17402 CONFIG SET spanbridge.enabled no >/dev/null
start on 17403 --loadmodule "$module" streams '*'
say "$rounds rounds of $requests XADD, 16 in a pipeline, 20 connections"
for round in $(seq "$rounds"); do
  for name in none off on; do
    main=/proc/${pid[$name]}/task/${pid[$name]}/stat all=/proc/${pid[$name]}/stat
    main_before=$(ticks "$main") all_before=$(ticks "$all")
    redis-benchmark -p "${port[$name]}" -n "$requests" -P 16 -c 20 -q \
      XADD bench MAXLEN '~' 1000 '*' number 1 text abcdefgh >/dev/null
    awk -v n="$requests" -v m="$main_before" -v a="$all_before" -v M="$(ticks "$main")" \
      -v A="$(ticks "$all")" 'BEGIN { printf "%.2f %.2f\n", (M - m) * 1e4 / n, (A - a) * 1e4 / n }' \
      >>"$folder/$name"
  done
done
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
printf '%-6s %16s %16s\n' module 'command thread' 'whole process'
for name in none off on; do
  printf '%-6s %13s µs %13s µs\n' "$name" "$(cut -d' ' -f1 "$folder/$name" | median)" \
    "$(cut -d' ' -f2 "$folder/$name" | median)"
done
