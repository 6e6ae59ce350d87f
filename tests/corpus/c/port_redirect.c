/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/port_redirect.py. */
#include "skverdict_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} sock_map_rx SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 lport = skb->local_port;
	__u32 idx = 0;

	if (lport == 10000)
		return bpf_sk_redirect_map(skb, &sock_map_rx, idx, 0);

	return SK_DROP;
}

LICENSE("GPL");
