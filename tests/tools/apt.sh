# Sourced: installs Debian packages, and keeps the services in them from starting.
source "$(dirname "${BASH_SOURCE[0]}")/say.sh"

# What invoke-rc.d asks before it starts a service; an answer of 101 forbids it.
policy=/usr/sbin/policy-rc.d
# Where the machine's own policy waits meanwhile. Left behind only if this script was killed.
policy_saved=$policy.before-spanbridge

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

hold_services() {
  if [ -e "$policy" ] && [ ! -e "$policy_saved" ]; then
    as_root mv "$policy" "$policy_saved"
  fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

release_services() {
  if [ -e "$policy_saved" ]; then
    as_root mv "$policy_saved" "$policy"
  else
    as_root rm -f "$policy"
  fi
}

apt_install() {
  local by_hand="install by hand, then run this again: $*"
  command -v apt-get >/dev/null || die "this is not Debian; $by_hand"
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    die "neither root nor sudo without a password; $by_hand"
  fi
  say "installing Debian packages: $*"
  trap release_services EXIT
  hold_services
  as_root apt-get update -qq
  # The lock is waited for, because a fresh machine often updates itself at first.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=300 "$@" >/dev/null
  release_services
  trap - EXIT
}
