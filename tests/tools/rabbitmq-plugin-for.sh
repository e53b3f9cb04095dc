#!/usr/bin/env bash
# Packs the plugin for the RabbitMQ that rabbitmq-root.sh has made, with the Erlang in there:
#
#   rabbitmq-plugin-for.sh SUITE BUILT OUT
#
# BUILT and OUT are those of host/rabbitmq-plugin/package.sh. Needs root's rights.
set -euo pipefail
built=$(realpath "$2")
out=$(mkdir -p "$3" && realpath "$3")
cd "$(dirname "$0")/../.."
root=$(realpath ".tools/rabbitmq-$1")
# Beside the sources, where the compiler sees both from inside.
stage=$(mktemp -d "$PWD/.tools/pack.XXXXXX")
trap 'rm -rf "$stage"' EXIT
plugins=$(cd "$root" && compgen -G 'usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins')
ERLC="$PWD/tests/tools/in-root.sh $root $PWD erlc" RABBITMQ_PLUGINS=/$plugins \
  host/rabbitmq-plugin/package.sh "$built" "$stage"
mv "$stage"/*.ez "$out"
