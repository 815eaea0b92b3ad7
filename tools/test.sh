#!/bin/sh
# All tests, two processes at a time: calls in real time, and everything else at a lower priority beside them, because a
# phone that is held up says and hears things late.
python=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
nice -n 15 "$python" -m pytest --ignore=tests/calls -p no:cacheprovider >"$log" 2>&1 &
others=$!
"$python" -m pytest tests/calls
calls=$?
wait "$others"
rest=$?
cat "$log"
[ "$calls" -eq 0 ] && [ "$rest" -eq 0 ]
