/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_wrap.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 size = msg->size;
	__be32 *length;

	if (bpf_msg_push_data(msg, 0, 4, 0))
		return SK_DROP;
	if (bpf_msg_pull_data(msg, 0, 4, 0))
		return SK_DROP;
	length = msg->data;
	if ((void *)(length + 1) > msg->data_end)
		return SK_DROP;
	*length = bpf_htonl(size);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
