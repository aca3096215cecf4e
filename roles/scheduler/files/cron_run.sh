#!/bin/sh
# Runs a command for cron: ends it after a time, keeps its output in syslog, and speaks - so that cron sends mail, where
# it has an address - only when it fails. 75 is flock's answer when another run goes on: nothing has failed.
# Usage: cron_run.sh NAME SECONDS COMMAND...
name=$1 seconds=$2
shift 2
output=$(mktemp) || exit
trap 'rm -f "$output"' EXIT
timeout --kill-after=90 "$seconds" "$@" >"$output" 2>&1
code=$?
logger --tag "$name" <"$output"
case $code in
  0 | 75) exit 0 ;;
  124 | 137) why="ended after $seconds seconds" ;;
  *) why="exit code $code" ;;
esac
logger --tag "$name" --priority user.err "$name failed: $why"
echo "$name failed: $why"
tail -n 60 "$output"
exit "$code"
