#!/bin/sh
# Asks the gomsg of this container how it is: exit code 0 when it takes calls. The port is the one that the
# container's command names, so that --port needs no second mention.
set -eu

server=${GOMSG_SERVER:-}
if [ -z "$server" ]; then
  port=$(tr '\0' '\n' < "${GOMSG_COMMAND_LINE:-/proc/1/cmdline}" | sed -n '/^--port=/s///p; /^--port$/{n;p;}' | tail -n 1)
  server=localhost:${port:-${GOMSG_PORT:-9000}}
fi
# Docker knows 0 and 1 alone.
gomsg cluster health --server "$server" --timeout 4s || exit 1
