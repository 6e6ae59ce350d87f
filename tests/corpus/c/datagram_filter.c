/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/datagram_filter.py. */
#include "skverdict_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, __u8);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u8);
	__type(value, __u64);
} seen SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	__u8 *data, *data_end, first;
	__u64 *count;
	__be32 word;

	if (skb->len == 0)
		return SK_PASS;
	if (bpf_skb_pull_data(skb, skb->len < 4 ? skb->len : 4))
		return SK_DROP;

	data = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if (data + 1 > data_end)
		return SK_DROP;
	first = *data;

	count = bpf_map_lookup_elem(&seen, &first);
	if (!count) {
		__u64 one = 1;

		bpf_map_update_elem(&seen, &first, &one, BPF_ANY);
	} else {
		*count += 1;
	}

	if (data + 4 <= data_end) {
		word = *(__be32 *)data;
		if (bpf_map_lookup_elem(&blocked, &word))
			return SK_DROP;
	}
	return SK_PASS;
}

LICENSE("GPL");
