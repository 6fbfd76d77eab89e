#!/bin/bash
# Start Ray on one of several machines, with token authentication; docs/slurm-and-kuberay.md says more.
#   deploy/start-ray.sh head     on the first machine
#   deploy/start-ray.sh HOST     on every other machine; HOST is the first machine's name or address
#   deploy/start-ray.sh stop     on each: stop every Ray of this user on the machine
# More arguments go to `ray start`, `--num-cpus 8` for example. RAY_PORT is another port than 6379.
set -euo pipefail

fail() {
    echo "start-ray: $1" >&2
    exit 2
}

ray=$(cd "$(dirname "$0")/.." && pwd)/.venv/bin/ray
[ -x "$ray" ] || ray=$(command -v ray) || fail "ray must be in .venv/bin or on PATH, is not"
[ $# -gt 0 ] || fail "the first argument must be head, HOST or stop, got none"
where=$1
shift
[ "$where" != stop ] || exec "$ray" stop

token=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}
[ -s "$token" ] || fail "$token must have the token of the cluster, is missing: on the first machine type \
ray get-auth-token --generate, and copy the file to every other machine"
chmod go-rwx "$token"
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
ulimit -n "$(ulimit -Hn)"
port=${RAY_PORT:-6379}
if [ "$where" = head ]; then
    # The dashboard listens to this machine alone; `ray job stop` waits until the search has closed its study.
    RAY_JOB_STOP_WAIT_TIME_S=180 exec "$ray" start --head --port="$port" --dashboard-host=127.0.0.1 "$@"
fi
exec "$ray" start --address="$where:$port" "$@"
