#!/bin/sh
# PID 1 of a lab's namespaces: makes them ready, runs the program given as arguments, reaps what is orphaned, hands
# on SIGINT and SIGTERM, and ends with the program's exit code. When it ends, the kernel ends all else in here.
set -eu

# What the parts keep in fixed places is private to each lab and gone with it.
for folder in /run /var/log /var/lib/cni /var/lib/kubelet; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=755 lab "$folder"
done
mkdir -p /run/lock /run/netns /run/containerd

# What the lab sees as the root of the control groups is a group of its own, so that all it makes is found below that.
private_cgroup() {
  for group in "$1/mailseal" "$1/mailseal/$MAILSEAL_LAB"; do
    mkdir -p "$group"
    # In version 1 a new cpuset is empty, and no program can join it.
    for file in cpuset.cpus cpuset.mems; do
      [ -f "$1/cgroup.controllers" ] || [ ! -f "$group/$file" ] || cat "$1/$file" >"$group/$file"
    done
    # In version 2 a group passes on only what its parent was told to pass on.
    [ ! -f "$1/cgroup.controllers" ] || for controller in $(cat "$group/cgroup.controllers"); do
      echo "+$controller" >"${group%/*}/cgroup.subtree_control" 2>/dev/null || true
    done
  done
  # In the place of the whole hierarchy, not on top of it: runc looks for its mount and takes the first.
  mkdir -p /run/control-group
  mount --bind "$1/mailseal/$MAILSEAL_LAB" /run/control-group
  umount "$1"
  mount --move /run/control-group "$1"
}
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  private_cgroup /sys/fs/cgroup
else
  for hierarchy in /sys/fs/cgroup/*; do
    [ -L "$hierarchy" ] || [ ! -d "$hierarchy" ] || private_cgroup "$hierarchy"
  done
fi

ip link set lo up
ip link add lab0 type bridge
echo 0 >/proc/sys/net/ipv6/conf/lab0/accept_dad 2>/dev/null || true
ip link set lab0 up
# Never answered: it makes the kernel choose lab0 where a part looks for "the" interface of this machine.
ip route add default dev lab0
ip -6 route add default dev lab0 2>/dev/null || true
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null || true

# A background job would get /dev/null as its input: hand it ours.
exec 3<&0
"$@" <&3 &
child=$!
trap 'kill -INT "$child" 2>/dev/null || true' INT
trap 'kill -TERM "$child" 2>/dev/null || true' TERM
while :; do
  code=0
  wait "$child" || code=$?
  # A trap ends `wait` early, with a code above 128, while the program still runs.
  kill -0 "$child" 2>/dev/null || exit "$code"
done
