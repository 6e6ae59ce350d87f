/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_chain.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int short_only(struct __sk_buff *skb);
int to_port(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, int (struct __sk_buff *));
} judges SEC(".maps") = {
	.values = { [0] = (void *)&short_only, [1] = (void *)&to_port },
};

SEC("sk_skb/stream_verdict")
int short_only(struct __sk_buff *skb)
{
	return skb->len <= 8 ? SK_PASS : SK_DROP;
}

SEC("sk_skb/stream_verdict")
int to_port(struct __sk_buff *skb)
{
	return bpf_sk_redirect_map(skb, &sockets, skb->local_port & 63, 0);
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &judges, skb->local_port - 10000);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
