/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of parse_by_port.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, __u32);
} lengths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, __u64);
} peers SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	/* Read before the lookup: clang would make one load of both lengths, which the verifier refuses. */
	__u32 port = skb->local_port, all = skb->len;
	__u32 *length = bpf_map_lookup_elem(&lengths, &port);

	return length ? *length : all;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	return bpf_sk_redirect_map(skb, &peers, skb->local_port % 128, BPF_F_INGRESS);
}

char _license[] SEC("license") = "GPL";
