/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_bloom.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 64);
	__type(value, __be32);
} unwanted SEC(".maps");

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__be32 client = skb->remote_ip4;

	if (bpf_map_peek_elem(&unwanted, &client) == 0)
		return SK_DROP;
	if (skb->len == 3)
		bpf_map_push_elem(&unwanted, &client, 0);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
