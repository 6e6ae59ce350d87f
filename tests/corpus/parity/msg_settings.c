/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_settings.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum { APPLY, CORK, PULL, PULL_END, PUSH, PUSH_LENGTH, POP, POP_LENGTH, NUMBERS };

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NUMBERS);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

static __always_inline __u32 *number(__u32 which)
{
	return bpf_map_lookup_elem(&numbers, &which);
}

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 *apply, *cork, *start, *end, *length;

	apply = number(APPLY);
	if (apply && *apply)
		bpf_msg_apply_bytes(msg, *apply);
	cork = number(CORK);
	if (cork && *cork)
		bpf_msg_cork_bytes(msg, *cork);
	start = number(PULL);
	end = number(PULL_END);
	if (start && end && *end && bpf_msg_pull_data(msg, *start, *end, 0))
		return SK_DROP;
	start = number(PUSH);
	length = number(PUSH_LENGTH);
	if (start && length && *length && bpf_msg_push_data(msg, *start, *length, 0))
		return SK_DROP;
	start = number(POP);
	length = number(POP_LENGTH);
	if (start && length && *length && bpf_msg_pop_data(msg, *start, *length, 0))
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
