/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_listen.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} since SEC(".maps");

SEC("sockops")
int listening(struct bpf_sock_ops *skops)
{
	__u32 port;
	__u64 now;

	if (skops->op == BPF_SOCK_OPS_TCP_LISTEN_CB && skops->local_port < 32768) {
		port = skops->local_port;
		if (!bpf_sock_hash_update(skops, &listeners, &port, BPF_NOEXIST)) {
			now = bpf_ktime_get_ns();
			bpf_map_update_elem(&since, &port, &now, BPF_ANY);
		}
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
