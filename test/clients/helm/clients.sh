#!/usr/bin/env bash
# Does with a server what users of Helm do. Usage: clients.sh <helm>. One line of JSON for each check.
set -uo pipefail
helm=$1
chart=$(dirname "$0")/web
failed=0

# check <name> <part that the output must have> <command…>
check() {
  local name=$1 part=$2 output
  shift 2
  if output=$("$@" 2>&1) && [[ $output == *"$part"* ]]; then
    printf '{"check":"%s"}\n' "$name"
  else
    failed=1
    printf '{"check":"%s","error":"%s"}\n' "$name" "$(printf '%s' "$output" | tr '"\\\n\t' "'/  ")"
  fi
}

check 'install, with a CRD and a custom resource' 'STATUS: deployed' "$helm" install shop "$chart"
check 'list' $'shop\tdefault' "$helm" list
check 'server version, kinds and objects seen by a template' $'kubernetes: "36"\n  deployments: "true"\n  revision: "1"\n  existing: "default"' \
  "$helm" get manifest shop
check 'hooks' 'helm.sh/hook: pre-install,pre-upgrade' "$helm" get hooks shop
check 'status with the tables that the server makes of the objects' 'UP-TO-DATE' "$helm" status shop --show-resources
check 'upgrade' 'REVISION: 2' "$helm" upgrade shop "$chart" --set replicas=3
check 'upgrade to the same' 'REVISION: 3' "$helm" upgrade shop "$chart" --set replicas=3
check 'rollback' 'Rollback was a success' "$helm" rollback shop 1
check 'history' 'Rollback to 1' "$helm" history shop
check 'dry run by the server' 'replicas: 5' "$helm" upgrade shop "$chart" --set replicas=5 --dry-run=server
check 'a value that the server refuses' 'UPGRADE FAILED' bash -c '! "$@"' _ "$helm" upgrade shop "$chart" --set replicas=-1
check 'uninstall, waiting until all is gone' 'uninstalled' "$helm" uninstall shop --wait --timeout 30s
check 'install again under the name' 'REVISION: 1' "$helm" install shop "$chart"
exit "$failed"
