#!/bin/sh
# Starts the node of this pod. Pod 0 founds the cluster and the others join it; a node that is already a member
# ignores both, so every start is the same.
set -eu

: "${POD_NAME:?}" "${STATEFUL_SET:?}" "${PEER_DOMAIN:?}" "${REPLICAS:?}" "${BOOTSTRAP:?}"
port=9000
ordinal=${POD_NAME##*-}

others=
number=0
while [ "$number" -lt "$REPLICAS" ]; do
  if [ "$number" != "$ordinal" ]; then
    others=$others${others:+,}$STATEFUL_SET-$number.$PEER_DOMAIN:$port
  fi
  number=$((number + 1))
done

# Pod 0 with an empty volume may be the first start of all, or a member that lost its volume. Founding a second
# cluster beside the first would be worse than not starting, so it asks the others before.
another_is_a_member() {
  for address in $(echo "$others" | tr , ' '); do
    if gomsg cluster nodes --server "$address" --timeout 2s > /dev/null 2>&1; then return 0; fi
  done
  return 1
}

# Settings may give a pod another node id: "pod=id pod=id".
node_id=$POD_NAME
for pair in ${NODE_IDS:-}; do
  if [ "${pair%%=*}" = "$POD_NAME" ]; then node_id=${pair#*=}; fi
done

if [ "$ordinal" = 0 ] && [ "$BOOTSTRAP" = true ] && { [ -e "$GOMSG_DATA_DIR/node.json" ] || ! another_is_a_member; }; then
  set -- --bootstrap
elif [ -n "$others" ]; then
  set -- "--join=$others"
else
  set --
fi

exec gomsg --cluster --node-id="$node_id" --port="$port" --advertise="$POD_NAME.$PEER_DOMAIN:$port" "$@"
