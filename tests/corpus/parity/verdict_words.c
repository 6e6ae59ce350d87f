/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_words.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u8 text[4] = {};

	if (bpf_skb_load_bytes(skb, 0, text, sizeof(text)))
		return SK_PASS;
	if (bpf_strncmp((char *)text, 3, "no ") == 0)
		return SK_DROP;
	if (bpf_strncmp((char *)text, 3, "to ") != 0)
		return SK_PASS;
	return bpf_sk_redirect_map(skb, &targets, text[3] & 31, 0);
}

char _license[] SEC("license") = "GPL";
