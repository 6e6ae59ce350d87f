/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/message_policy.py. */
#include "skverdict_test.h"

#define MAX_BODY (16 * 1024)

enum { KIND_DATA = 1, KIND_PING = 2 };

struct header {
	__be32 kind;
	__be32 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} accepted SEC(".maps");

SEC("sk_msg")
int records(struct sk_msg_md *msg)
{
	struct header *header = msg->data;
	__u32 kind, length;
	__u64 *count;

	if ((void *)(header + 1) > msg->data_end) {
		bpf_msg_cork_bytes(msg, 8);
		return SK_PASS;
	}
	kind = bpf_ntohl(header->kind);
	length = bpf_ntohl(header->length);
	if (length > MAX_BODY || (kind != KIND_DATA && kind != KIND_PING))
		return SK_DROP;
	if (msg->size < 8 + length) {
		bpf_msg_cork_bytes(msg, 8 + length);
		return SK_PASS;
	}
	bpf_msg_apply_bytes(msg, 8 + length);
	count = bpf_map_lookup_elem(&accepted, &kind);
	if (count)
		*count += 1;
	return SK_PASS;
}

LICENSE("GPL");
