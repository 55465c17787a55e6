#!/bin/bash
# A Slurm of one node on a test machine: no systemd, nothing outside its folder, everything on the loopback interface.
#
#   apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge      (Debian, Ubuntu; run as root)
#   examples/cluster/one_node_slurm.sh start FOLDER    writes the configuration, starts munged, slurmctld and slurmd
#   eval "$(examples/cluster/one_node_slurm.sh env FOLDER)"          clients, and AiiDA's daemon, need SLURM_CONF
#   examples/cluster/one_node_slurm.sh fail FOLDER     the node fails: slurmd dies and Slurm takes the node down
#   examples/cluster/one_node_slurm.sh recover FOLDER  the node comes back
#   examples/cluster/one_node_slurm.sh stop FOLDER
#
# It is for tests: root runs the jobs, and nothing limits who may submit.
set -uo pipefail

usage() { sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2; }
[ $# -ge 1 ] || usage
action=$1
root=$(realpath -m "${2:-${SLURM_ROOT:-./slurm}}")
node=$(hostname -s)
# not nproc, which obeys OMP_NUM_THREADS
cpus=${SLURM_CPUS:-$(getconf _NPROCESSORS_ONLN)}
port=${SLURM_PORT:-6817}
export SLURM_CONF=$root/slurm.conf

write_configuration() {
  mkdir -p "$root"/{state,spool,log,run,munge}
  chmod 755 "$root"
  local memory=$(( $(awk '/MemTotal/{print $2}' /proc/meminfo) / 1024 * 8 / 10 ))
  cat > "$SLURM_CONF" <<C
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$root/run/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=5
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$root/log/jobs.log
JobRequeue=0
StateSaveLocation=$root/state
SlurmdSpoolDir=$root/spool
SlurmctldPidFile=$root/run/slurmctld.pid
SlurmdPidFile=$root/run/slurmd.pid
SlurmctldLogFile=$root/log/slurmctld.log
SlurmdLogFile=$root/log/slurmd.log
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=5
MinJobAge=300
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$memory State=UNKNOWN
PartitionName=debug Nodes=$node Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
C
}

alive() { [ -s "$1" ] && kill -0 "$(cat "$1" 2>/dev/null)" 2>/dev/null; }

end() {  # end FILE_WITH_PID [SIGNAL]
  alive "$1" || return 0
  kill "${2:--TERM}" "$(cat "$1")"
  for _ in $(seq 100); do alive "$1" || return 0; sleep 0.1; done
}

kill_tree() {  # a process and all below it
  local child
  for child in $(pgrep -P "$1"); do kill_tree "$child"; done
  kill -KILL "$1" 2>/dev/null || true
}

start_munge() {
  alive "$root/run/munged.pid" && return
  [ -s "$root/run/munge.key" ] || dd if=/dev/urandom of="$root/run/munge.key" bs=1 count=1024 status=none
  chmod 400 "$root/run/munge.key"
  chmod 700 "$root/munge"
  chown -R munge: "$root/run" "$root/munge"
  runuser -u munge -- /usr/sbin/munged --force --key-file="$root/run/munge.key" --socket="$root/run/munge.socket" \
    --pid-file="$root/run/munged.pid" --log-file="$root/munge/munged.log" --seed-file="$root/munge/seed"
  for _ in $(seq 50); do [ -S "$root/run/munge.socket" ] && return; sleep 0.1; done
  echo "munged does not start; see $root/munge/munged.log" >&2
  exit 1
}

await_node() {
  for _ in $(seq 150); do
    sinfo -h -o %T 2>/dev/null | grep -qE '^(idle|mixed|allocated)$' && return
    sleep 0.2
  done
  echo "the node does not come up; see $root/log" >&2
  exit 1
}

case $action in
  start)
    write_configuration
    start_munge
    alive "$root/run/slurmctld.pid" || slurmctld -f "$SLURM_CONF"
    alive "$root/run/slurmd.pid" || slurmd -f "$SLURM_CONF" -N "$node"
    await_node
    sinfo ;;
  fail)
    end "$root/run/slurmd.pid" -KILL
    # a node without power takes its jobs with it; slurmd alone would leave them running
    for step in $(pgrep -f '^slurmstepd: ' || true); do
      tr '\0' '\n' < "/proc/$step/environ" 2>/dev/null | grep -qx "SLURM_CONF=$SLURM_CONF" && kill_tree "$step"
    done
    scontrol update NodeName="$node" State=DOWN Reason="failure" ;;
  recover)
    alive "$root/run/slurmd.pid" || slurmd -f "$SLURM_CONF" -N "$node"
    scontrol update NodeName="$node" State=RESUME 2>/dev/null
    await_node
    sinfo ;;
  stop) for name in slurmd slurmctld munged; do end "$root/run/$name.pid"; done ;;
  status) sinfo; squeue ;;
  env) echo "export SLURM_CONF=$SLURM_CONF" ;;
  *) usage ;;
esac
