/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of skb_answers.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	return SK_DROP;
}

SEC("sk_msg")
int sender(struct sk_msg_md *msg)
{
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
