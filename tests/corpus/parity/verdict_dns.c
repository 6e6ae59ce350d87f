/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_dns.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define RESPONSE 0x8000

struct query {
	__be16 length;
	__be16 id;
	__be16 flags;
	__be16 questions;
	__be16 answers;
	__be16 authorities;
	__be16 additional;
	__u8 label_length;
	__be64 label;
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be64);
	__type(value, __u8);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} lengths SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	struct query *query;
	void *data_end;
	__u32 length;
	__be64 label;
	__u64 *count;

	if (skb->len < sizeof(*query))
		return SK_PASS;
	if (bpf_skb_pull_data(skb, sizeof(*query)))
		return SK_DROP;
	query = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if ((void *)(query + 1) > data_end)
		return SK_DROP;
	if (bpf_ntohs(query->flags) & RESPONSE || query->questions != bpf_htons(1))
		return SK_PASS;
	length = query->label_length;
	if (length > 63)
		return SK_DROP;
	/* Eight loads of one byte each, unless it is copied through an aligned type. */
	label = *(__be64 *)((void *)query + 15);
	if (bpf_map_lookup_elem(&blocked, &label))
		return SK_DROP;
	count = bpf_map_lookup_elem(&lengths, &length);
	if (count)
		*count += 1;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
