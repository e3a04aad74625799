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
