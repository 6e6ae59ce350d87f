/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_events.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CALLBACKS 16

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CALLBACKS);
	__type(key, __u32);
	__type(value, __u64);
} callbacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} repeated SEC(".maps");

SEC("sockops")
int count(struct bpf_sock_ops *skops)
{
	__u32 op = skops->op, again;
	__u64 *number, *times;

	if (op >= CALLBACKS)
		return 0;
	number = bpf_map_lookup_elem(&callbacks, &op);
	if (number)
		*number += 1;
	if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		bpf_sock_ops_cb_flags_set(skops, BPF_SOCK_OPS_ALL_CB_FLAGS);
	if (op == BPF_SOCK_OPS_RETRANS_CB) {
		again = skops->args[1] < 7 ? skops->args[1] : 7;
		times = bpf_map_lookup_elem(&repeated, &again);
		if (times)
			*times += 1;
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
