/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_tail.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

#define TOO_MUCH 65535

long outcome = 1;

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	char *data;

	if (bpf_skb_pull_data(skb, 1))
		return SK_PASS;
	data = (void *)(long)skb->data;
	if ((void *)(data + 1) > (void *)(long)skb->data_end)
		return SK_PASS;
	switch (*data) {
	case 'T':
		outcome = bpf_skb_change_tail(skb, skb->len - 1, 0);
		break;
	case 'G':
		outcome = bpf_skb_change_tail(skb, skb->len + 1, 0);
		break;
	case 'E':
		outcome = bpf_skb_change_tail(skb, TOO_MUCH, 0);
		break;
	}
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
