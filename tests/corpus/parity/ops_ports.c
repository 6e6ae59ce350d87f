/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_ports.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define FIRST 10000
#define LAST 10015

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} accepted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} connected SEC(".maps");

SEC("sockops")
int remember(struct bpf_sock_ops *skops)
{
	__u32 port, key;

	if (skops->family != AF_INET)
		return 1;
	if (skops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		port = skops->local_port;
		if (port >= FIRST && port <= LAST) {
			key = port - FIRST;
			bpf_sock_map_update(skops, &accepted, &key, BPF_NOEXIST);
		}
	} else if (skops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		port = bpf_ntohl(skops->remote_port);
		if (port >= FIRST && port <= LAST) {
			key = port - FIRST;
			bpf_sock_map_update(skops, &connected, &key, BPF_NOEXIST);
		}
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
