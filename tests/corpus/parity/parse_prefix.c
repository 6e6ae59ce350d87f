/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of parse_prefix.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LONGEST 4096

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} backends SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	__be16 prefix;
	__u16 length;

	if (skb->len < 2)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, &prefix, sizeof(prefix)))
		return 0;
	length = bpf_ntohs(prefix);
	if (length > LONGEST)
		return -1;
	return 2 + length;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	return bpf_sk_redirect_map(skb, &backends, 0, 0);
}

char _license[] SEC("license") = "GPL";
