# Two network namespaces joined by a veth pair, for the cases that source this file.
#
#   far  (v1, 10.1.0.2)  ----  near (v0, 10.1.0.1; d0, 10.9.0.1)
#
# rbtrace itself looks at the whole kernel; what changes is only inside the namespaces.

net_up() {
  ip netns add near
  ip netns add far
  ip link add v0 netns near type veth peer name v1 netns far
  ip -n near addr add 10.1.0.1/24 dev v0
  ip -n near link set v0 up
  ip -n near link set lo up
  ip -n near link add d0 type dummy
  ip -n near addr add 10.9.0.1/24 dev d0
  ip -n near link set d0 up
  ip -n far addr add 10.1.0.2/24 dev v1
  ip -n far link set v1 up
  ip -n far link set lo up
  ip -n far route add default via 10.1.0.1
  # Proxied answers at once, not after a random delay.
  near_set neigh/v0/proxy_delay 0
}

net_down() {
  ip netns del near || true
  ip netns del far || true
}

# near SETTING VALUE: a sysctl below net/ipv4 of the near side.
near_set() {
  ip netns exec near sh -c "echo $2 > /proc/sys/net/ipv4/$1"
}

# Runs a command with the far side's network; `near` for the other.
far() { ip netns exec far "$@"; }
near() { ip netns exec near "$@"; }
