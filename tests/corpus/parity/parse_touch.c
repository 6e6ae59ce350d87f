/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of parse_touch.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

#define HEAD 10
#define SEEN 1

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;

	if ((void *)data + HEAD > end) {
		if (bpf_skb_pull_data(skb, HEAD))
			return SK_DROP;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		if ((void *)data + HEAD > end)
			return SK_DROP;
	}
	data[7] = SEEN;
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
