#!/bin/bash
#SBATCH --job-name=paretune
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=12:00:00
# A search over the nodes of a Slurm job: type, in a folder of Paretune that every node sees,
#   sbatch deploy/slurm.sh --home /shared/runs --data /shared/data --task cifar10 --trials 200 --name first
# The arguments are those of `paretune search`; docs/slurm-and-kuberay.md says more.
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:?type sbatch deploy/slurm.sh}"
export PATH="$PWD/.venv/bin:$PATH"
export TMPDIR=/tmp # paths of Ray's sockets may have 107 characters
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600 # a shared file system may take minutes for the first import
if [ ! -s ~/.ray/auth_token ]; then
    echo "slurm.sh: ~/.ray/auth_token must have a token, is missing: type ray get-auth-token --generate" >&2
    exit 2
fi

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=1 \
    ray symmetric-run --address "${nodes[0]}:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_PER_TASK" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" -- \
    paretune search --address auto "$@"
