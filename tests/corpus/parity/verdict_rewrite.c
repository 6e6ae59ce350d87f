/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_rewrite.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ACCT 0x41434354

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	void *data, *data_end;
	char stars[8];

	if (skb->len < 12)
		return SK_PASS;
	if (bpf_skb_pull_data(skb, 12))
		return SK_DROP;
	data = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if (data + 4 > data_end)
		return SK_DROP;
	if (*(__be32 *)data != bpf_htonl(ACCT))
		return SK_PASS;
	__builtin_memset(stars, '*', sizeof(stars));
	if (bpf_skb_store_bytes(skb, 4, stars, sizeof(stars), 0))
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
