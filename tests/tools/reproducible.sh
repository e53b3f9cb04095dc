#!/usr/bin/env bash
# Builds the component twice, from two directories and with two cargo homes. The two files have to
# be identical to the byte, or nobody could check that a published component is made of this source.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools/say.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Another length on purpose: a path that leaks moves everything behind it.
clone=$scratch/a-directory-of-another-name
mkdir -p "$clone" "$scratch/cargo"

# The files that are or would be tracked, as they are now.
git ls-files -z --cached --others --exclude-standard --deduplicate |
  xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh |
  tar --create --null --files-from=- | tar --extract --directory "$clone"
# Only how to reach the registry is taken over; the crates are fetched and unpacked anew.
for config in "${CARGO_HOME:-$HOME/.cargo}"/config.toml; do
  [ ! -e "$config" ] || cp "$config" "$scratch/cargo/"
done

first=$(tests/tools/guest.sh)
second=$(CARGO_HOME=$scratch/cargo CARGO_TARGET_DIR=$scratch/target tests/tools/guest.sh "$clone")
cmp "$first" "$second" || die "the two builds of the component differ"
say "the two builds of the component are identical"
