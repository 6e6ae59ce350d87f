/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_budget.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, __u32);
} permits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 8);
	__type(value, __u32);
} refused SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 size = msg->size, permit;

	if (size < 4) {
		bpf_map_push_elem(&permits, &size, 0);
		return SK_PASS;
	}
	if (bpf_map_peek_elem(&permits, &permit) || permit == 0) {
		bpf_map_push_elem(&refused, &size, BPF_EXIST);
		return SK_DROP;
	}
	if (bpf_map_pop_elem(&permits, &permit))
		return SK_DROP;
	bpf_msg_apply_bytes(msg, permit);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
