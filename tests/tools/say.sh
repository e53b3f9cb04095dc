# Sourced by the other scripts: how they speak, and how they time their stages.

say() { printf 'spanbridge: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# Runs a command under a name and says how long it took.
stage() {
  local name=$1 started=$SECONDS
  shift
  say "stage $name: $*"
  "$@" || die "stage $name: FAILED after $((SECONDS - started)) s"
  say "stage $name: passed in $((SECONDS - started)) s"
}
