#!/bin/sh
# Jobs in a shell: one line is one job, each is done by one of three workers, and one that fails is tried again, by whoever comes next.
# Needs the command `cove` in the PATH.
set -eu
out=$(mktemp)
trap 'rm -f "$out"; cove rm --force thumbs >/dev/null 2>&1 || true' EXIT

for worker in 1 2 3; do
    # A job counts as done when its command has ended well. Here every fifth fails the first time.
    # shellcheck disable=SC2016 # for the command's shell
    cove pop thumbs --until-closed --exec '
        read -r name
        [ $((${name#img} % 5)) -ne 0 ] || [ "$COVE_DELIVERIES" -gt 1 ] || exit 1
        echo "$name.png by worker '$worker'"' >>"$out" 2>/dev/null &
done
seq -f 'img%g' 20 | cove push thumbs --depth 8
wait
sort -V "$out"
[ "$(cut -d ' ' -f 1 "$out" | sort -u | wc -l)" -eq 20 ]
