# What every sample image shares. A `train` script reads this file, defines its options and its workload, and calls main.
#
#   train [PREFIX...]   runs the image's container as `PREFIX... docker run ...` and makes it do its work
#   more [PREFIX...]    the same, and one thing more in the end, that the workload never does
#                       exit 0: done, nothing refused it;  exit 9: it was refused, as an enforced profile must;
#                       anything else: the workload itself failed
#
# So `train learn record -o FILE --` records it, `train learn verify DIR --` proves what was learned, and plain `train` just
# runs it. DOCKER_OPTIONS, words separated by blanks, are options of `docker run` to add: a profile, dropped capabilities.
set -euo pipefail
export LC_ALL=C TZ=UTC
here=${BASH_SOURCE[1]%/*}
client=${ENGINE_CLIENT:-docker}
name=learn-sample-$$

fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}

# Tries until it succeeds, for twenty seconds at most, and gives up early when the container is gone.
until_ready() {
  local attempt
  for ((attempt = 0; attempt < 200; attempt++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
    if [[ -n ${container:-} ]] && ! kill -0 "$container" 2>/dev/null; then fail "the container ended before: $*"; fi
  done
  fail "gave up: $*"
}

# Starts the container in the background, in the foreground of its own client.
start() { # options of run, image, command
  # shellcheck disable=SC2086 # words on purpose
  "${prefix[@]}" "$client" run --rm --name "$name" ${DOCKER_OPTIONS:-} "$@" &
  container=$!
  until_ready running
}

running() {
  [[ $("$client" inspect --format '{{.State.Running}}' "$name") == true ]]
}

inside() {
  "$client" exec "$name" "$@"
}

# Where the host reaches the container.
address() {
  "$client" inspect --format '{{.NetworkSettings.IPAddress}}' "$name"
}

signal() {
  "$client" kill --signal "$1" "$name" >/dev/null
}

# Waits for the container's end; its status is the workload's.
finish() {
  local status=0
  wait "$container" || status=$?
  container=
  # Who watches the twin says in its own way that something was refused.
  ((status == ${1:-0} || twin == 9)) || fail "the container ended with status $status"
}

clean_up() {
  local status=$?
  if [[ -n ${container:-} ]]; then
    "$client" kill "$name" >/dev/null 2>&1 || true
    wait "$container" || true
  fi
  exit "$status"
}

# One thing more: an exec session whose refusal is told from every other failure by what it prints.
more() {
  local answer
  answer=$("$@" 2>&1) && return 0
  case $answer in
    *"Operation not permitted"* | *"Permission denied"* | *PermissionError* | *"operation not permitted"*) twin=9 ;;
    *) fail "one more: $answer" ;;
  esac
}

main() {
  prefix=("$@")
  twin=0
  trap clean_up EXIT
  workload
  exit "$twin"
}

# A session that does all that the twin's does but the one thing: what is new in the twin is that alone.
rehearse() {
  inside "$@" >/dev/null
}

# Called by a workload before it ends its container.
one_more() {
  [[ ${0##*/} == more ]] || return 0
  more "$@"
}
