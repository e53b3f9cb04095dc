#!/usr/bin/env bash
# Makes a folder that a RabbitMQ of another Debian release runs in: rabbitmq-root.sh SUITE [FOLDER]
#
# SUITE is trixie (RabbitMQ 4.0) or forky (4.3); FOLDER is .tools/rabbitmq-SUITE. The broker comes
# with the C library and the Erlang of its release, so it runs with the folder as its root and
# changes nothing outside. apt fetches the packages and checks their signatures; they are unpacked,
# and none of their scripts runs: no user is made and no service started. 53 to 64 MB, and an index
# of 10 MB, are fetched; 140 MB stay. Does nothing where the folder is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

suite=${1:?usage: rabbitmq-root.sh SUITE [FOLDER]}
folder=${2:-.tools/rabbitmq-$suite}
mirror=${SPANBRIDGE_DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The broker's scripts use a shell and its usual company, which no package depends on.
wanted=(rabbitmq-server base-files coreutils dash grep hostname mawk sed)
# What packages depend on and a broker that is started by hand does not need.
spared='adduser|debconf|dpkg|gcc-.*-base|init-system-helpers|libaudit.*|libdb5.*|libpam.*'
spared+='|libpython.*|libsemanage.*|libsepol.*|libsqlite.*|libsystemd-shared|login.*|logrotate'
spared+='|media-types|netbase|passwd|perl.*|python3.*|rabbitmqadmin-ng|readline-common|socat'
spared+='|systemd|tar|tzdata'

compgen -G "$folder/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server" >/dev/null && exit
command -v apt-get >/dev/null || die "this is not Debian: RabbitMQ of $suite cannot be fetched"
[ -r "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"
say "fetching RabbitMQ of Debian $suite into $folder"
mkdir -p "$(dirname "$folder")"
stage=$(mktemp -d "$(realpath "$(dirname "$folder")")/stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT

# An apt of its own, which knows nothing of this machine's packages: none is installed here.
apt=$stage/apt
mkdir -p "$apt"/etc/apt/{apt.conf.d,preferences.d,trusted.gpg.d} "$apt"/var/lib/dpkg \
  "$apt"/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$apt/var/lib/dpkg/status"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/etc/apt/sources.list"
own() {
  apt-get -qq -o Dir="$apt" -o Dir::State::status="$apt/var/lib/dpkg/status" \
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User= \
    -o APT::Install-Recommends=false "$@"
}
own update
needed=$(own --print-uris -y install "${wanted[@]}" | sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p" |
  grep -vxE "$spared")
mkdir "$stage/packages" "$stage/tree"
# shellcheck disable=SC2086 # a word for each
(cd "$stage/packages" && own download $needed)
# First what makes /bin and /lib links, so that the others unpack through them.
for package in "$stage"/packages/{base-files_,}*.deb; do
  dpkg-deb --extract "$package" "$stage/tree"
done
printf '127.0.0.1 localhost\n' >"$stage/tree/etc/hosts"
chmod 755 "$stage/tree"
rm -rf "$folder"
mv "$stage/tree" "$folder"
say "RabbitMQ of Debian $suite: $(cat "$stage"/packages/*.deb | wc -c) bytes fetched"
