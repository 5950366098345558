# What every sample shares. A sample's `run` reads this file, defines its workload, and calls main.
#
# `more` is a symbolic link to `run`: the very same program, which does one thing more in the end.
#   run            exit 0: the workload is done
#   more [call]    makes a call that the workload never makes
#   more program   runs a program that the workload never runs
#                  exit 0: done, nothing refused it;  exit 9: it was refused, as an enforced profile must;
#                  anything else: the workload itself failed
#
# The workload finds an empty current directory, leaves its files there, does the same each time, and waits for the end of
# everything that it started. LEARN_SAMPLES names the directory that `samples/build` filled.

set -euo pipefail
export LC_ALL=C TZ=UTC HOME=$PWD TMPDIR=$PWD PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset CDPATH ENV BASH_ENV LANG LANGUAGE MAIL

here=${BASH_SOURCE[1]%/*}
built=${LEARN_SAMPLES:-$here/../../target/samples}

fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}

# Prints the path of a compiled sample.
program() {
  [[ -x $built/$1 ]] || fail "$built/$1 is not there: run samples/build $built"
  printf '%s' "$built/$1"
}

# Tries until it succeeds, for six seconds at most. It always waits before it tries, so that each run does the same.
until_ready() {
  local attempt
  for ((attempt = 0; attempt < 300; attempt++)); do
    sleep 0.02
    if "$@"; then return; fi
  done
  fail "gave up: $*"
}

# The file holds the text.
says() {
  [[ -e $1 ]] && [[ $(<"$1") == *"$2"* ]]
}

# An internet socket, opened by the shell itself: no other program, only another call. Samples that use such sockets
# themselves define their own. Prints what the kernel answered when it refused.
one_more_call() {
  open_by_shell /dev/udp/127.0.0.1/9
}

open_by_shell() {
  { exec 9<>"$1"; } 2>&1
}

one_more_program() {
  /usr/bin/uname 2>&1 >/dev/null
}

# A program must not do one thing more unnoticed: what was printed decides whether it was refused.
more() {
  local answer
  answer=$("one_more_$1") && return 0
  case $answer in
    *"Operation not permitted"* | *"Permission denied"*) exit 9 ;;
    *) fail "one more $1: $answer" ;;
  esac
}

main() {
  # The workload knows how the shell opens a file, in both ways, and keeps what it prints, so that a socket is all that is new in `more`.
  local rehearsed
  : >/dev/null
  rehearsed=$(open_by_shell /dev/null)
  [[ -z $rehearsed ]] || fail "$rehearsed"
  case ${0##*/} in
    run) workload ;;
    more)
      workload
      more "${1:-call}"
      ;;
    *) fail "call it run or more" ;;
  esac
}
