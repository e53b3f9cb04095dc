#!/usr/bin/env bash
# Packs the plugin: package.sh BUILT OUT
#
# BUILT is where cargo has put the native half, such as target/release. The archive lands in OUT, as
# rabbitmq_spanbridge-VERSION.ez. It needs erlc and what Debian's rabbitmq-server brings, no more.
#
# The modules are for the Erlang that compiles them and the next ones: what 25 compiles, 27 loads,
# and 29 does not. ERLC names another compiler, RABBITMQ_PLUGINS the broker's plugins for it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
built=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")

installed=$(compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins' | sort -V | tail -1) || true
plugins=${RABBITMQ_PLUGINS:-$installed}
[ -n "$plugins" ] || {
  echo "package.sh: no RabbitMQ in /usr/lib/rabbitmq: install rabbitmq-server" >&2
  exit 1
}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$here/../../Cargo.toml")
name=rabbitmq_spanbridge-$version
stage=$(mktemp -d "$out/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/$name/ebin" "$stage/$name/priv"

# Modules of the tool's own language are not there for the compiler to look at.
# shellcheck disable=SC2086 # a compiler may have arguments
ERL_LIBS=$plugins ${ERLC:-erlc} +deterministic +debug_info -Wall +nowarn_deprecated_catch \
  -o "$stage/$name/ebin" "$here"/erl/*.erl \
  2>&1 | { grep -v "CommandBehaviour' undefined\|^% *[0-9]*|\|^% *|" || true; } >&2
modules=$(cd "$stage/$name/ebin" && ls *.beam | sed "s/\(.*\)\.beam/'\1'/" | paste -sd,)
sed "s/@VERSION@/$version/; s/@MODULES@/$modules/" "$here/erl/rabbitmq_spanbridge.app.src" \
  >"$stage/$name/ebin/rabbitmq_spanbridge.app"
install -m 644 "$built/libspanbridge_nif.so" "$stage/$name/priv/"
install -m 755 "$built/spanbridge-exporter" "$stage/$name/priv/"
strip --strip-unneeded "$stage/$name"/priv/*

# Written beside, then moved: a broker that looks meanwhile sees the old one or the new one.
erl -noinput -eval "
  {ok, _} = zip:create(\"$stage/plugin.ez\", [\"$name\"], [{cwd, \"$stage\"}]), halt()."
mv "$stage/plugin.ez" "$out/$name.ez"
du -bh "$stage/$name"/priv/* "$out/$name.ez" | sed "s#$stage/##; s#$out/##"
