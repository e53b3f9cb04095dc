#!/bin/sh
# Runs a program with a folder as its root: in-root.sh ROOT SHARED PROGRAM [ARGUMENT...]
#
# ROOT is what rabbitmq-root.sh has made. The folder SHARED, /dev and /proc are the machine's, for
# this program alone: they are mounted in a name space that ends with it. It keeps its process id.
# Needs root's rights.
set -eu
[ "${1:-}" != --inside ] || {
  shift
  mkdir -p "$1$2"
  mount --bind "$2" "$1$2"
  mount --rbind /dev "$1/dev"
  mount --rbind /proc "$1/proc"
  root=$1
  shift 2
  exec chroot "$root" "$@"
}
exec unshare --mount --propagation private "$0" --inside "$@"
