#!/usr/bin/env bash
# Builds what the tests run, and runs them: the program, a component that misbehaves on demand, and
# what brokers load.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

# Where the runtime's own tests build it, too.
faulty=${CARGO_TARGET_DIR:-target}/tmp/faulty

# With the tests, so that the program is built with the features that they are built with.
stage 'build' cargo build --workspace --bins --tests
stage 'faulty component' cargo build --release --target wasm32-wasip2 --target-dir "$faulty" \
  --manifest-path tests/components/faulty/Cargo.toml
export SPANBRIDGE_FAULTY_COMPONENT=$(realpath "$faulty")/wasm32-wasip2/release/faulty.wasm
# The faulty one first: then what lies about afterwards is the one to use.
for component in faulty default; do
  stage "Redis module, $component" tests/tools/extension.sh spanbridge-redis-module \
    libspanbridge_redis.so "$component" $([ $component = default ] || echo "$SPANBRIDGE_FAULTY_COMPONENT")
done
# Only where RabbitMQ is: its plugin is compiled against it.
if compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins' >/dev/null; then
  target=${CARGO_TARGET_DIR:-target}
  plugin=$target/rabbitmq-plugin
  # Packed anew for a RabbitMQ with another Erlang, while its native half is what was just built.
  pack_for_forky() {
    [ -d .tools/rabbitmq-forky ] && [ "$(id -u)" = 0 ] || return 0
    stage 'rabbitmq plugin for forky' tests/tools/rabbitmq-plugin-for.sh forky \
      "$target/extension" "$1/forky"
  }
  stage 'faulty rabbitmq plugin' host/rabbitmq-plugin/build.sh "$plugin/faulty" \
    "$SPANBRIDGE_FAULTY_COMPONENT"
  pack_for_forky "$plugin/faulty"
  stage 'rabbitmq plugin' host/rabbitmq-plugin/build.sh "$plugin"
  pack_for_forky "$plugin"
  export SPANBRIDGE_RABBITMQ_PLUGIN=$(realpath "$plugin")
fi
stage 'test' cargo test --workspace --quiet
