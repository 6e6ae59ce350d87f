/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/message_policy.py. */
#include "skverdict_test.h"

#define MAX_BODY 4096
#define MAX_RECORDS 8

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

static inline void count(__u32 kind)
{
	__u64 *passed = bpf_map_lookup_elem(&accepted, &kind);

	if (passed)
		*passed += 1;
}

SEC("sk_msg")
int whole_records(struct sk_msg_md *msg)
{
	__u32 offset = 0;

	if (bpf_msg_pull_data(msg, 0, msg->size, 0))
		return SK_DROP;

	for (int i = 0; i < MAX_RECORDS; i++) {
		struct header *header = msg->data + offset;
		__u32 kind, length;

		if ((void *)(header + 1) > msg->data_end) {
			bpf_msg_cork_bytes(msg, msg->size + 1);
			return SK_PASS;
		}
		kind = bpf_ntohl(header->kind);
		length = bpf_ntohl(header->length);
		if (length > MAX_BODY || (kind != KIND_DATA && kind != KIND_PING))
			return SK_DROP;
		offset += 8 + length;
		if (offset == msg->size) {
			bpf_msg_cork_bytes(msg, 0); /* else the next message would be held to what this one has asked for */
			return SK_PASS;
		}
		if (offset > msg->size) {
			bpf_msg_cork_bytes(msg, msg->size + 1);
			return SK_PASS;
		}
	}
	return SK_DROP;
}

SEC("sk_msg")
int announced_size(struct sk_msg_md *msg)
{
	struct header *header = msg->data;
	__u32 kind, length;

	bpf_msg_apply_bytes(msg, 0);
	if ((void *)(header + 1) > msg->data_end)
		return SK_DROP;
	kind = bpf_ntohl(header->kind);
	length = bpf_ntohl(header->length);
	if (length > MAX_BODY || (kind != KIND_DATA && kind != KIND_PING))
		return SK_DROP;
	bpf_msg_apply_bytes(msg, 8 + length);
	count(kind);
	return SK_PASS;
}

LICENSE("GPL");
