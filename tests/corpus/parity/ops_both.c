/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_both.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} by_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} by_port SEC(".maps");

SEC("sockops")
int remember(struct bpf_sock_ops *skops)
{
	__u32 index = skops->local_port & 15;

	if (skops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		bpf_sock_ops_cb_flags_set(skops, BPF_SOCK_OPS_STATE_CB_FLAG);
		bpf_sock_map_update(skops, &by_index, &index, BPF_ANY);
		bpf_sock_hash_update(skops, &by_port, &index, BPF_ANY);
	} else if (skops->op == BPF_SOCK_OPS_STATE_CB && skops->args[1] == BPF_TCP_CLOSE) {
		bpf_map_delete_elem(&by_index, &index);
		bpf_map_delete_elem(&by_port, &index);
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
