/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_trim.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CELL 48

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, __u32);
} longest SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 port, *limit;

	if (skb->len == 0)
		return SK_PASS;
	port = skb->local_port;
	limit = bpf_map_lookup_elem(&longest, &port);
	if (limit && skb->len > *limit) {
		if (bpf_skb_change_tail(skb, *limit, 0))
			return SK_DROP;
	} else if (skb->len < CELL) {
		if (bpf_skb_change_tail(skb, CELL, 0))
			return SK_DROP;
	}
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
