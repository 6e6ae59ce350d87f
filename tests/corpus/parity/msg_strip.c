/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_strip.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MOST 255

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 size = msg->size, padding;
	__be16 *field;

	if (bpf_msg_pull_data(msg, 0, 2, 0))
		return SK_DROP;
	field = msg->data;
	if ((void *)(field + 1) > msg->data_end)
		return SK_DROP;
	padding = bpf_ntohs(*field);
	if (padding > MOST || padding + 2 > size)
		return SK_DROP;
	if (padding && bpf_msg_pop_data(msg, size - padding, padding, 0))
		return SK_DROP;
	if (bpf_msg_pop_data(msg, 0, 2, 0))
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
