/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of parse_partial.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

#define HEADER 4
#define MESSAGE 10

__u32 most = 12;

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	if (skb->len < HEADER)
		return 0;
	return MESSAGE;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	if (skb->len > most)
		return SK_PASS;
	return bpf_sk_redirect_map(skb, &sockets, 1, 0);
}

char _license[] SEC("license") = "GPL";
