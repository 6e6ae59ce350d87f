/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of bytes_total.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} received SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sent SEC(".maps");

__u64 total;
__u64 direction;
__u32 dropped;
int length = 4;

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return length;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	int answer = bpf_sk_redirect_map(skb, &received, 1, direction);

	if (answer == SK_DROP)
		dropped++;
	__sync_fetch_and_add(&total, skb->len);
	return answer;
}

SEC("sk_msg")
int sender(struct sk_msg_md *msg)
{
	__sync_fetch_and_add(&total, msg->size);
	return bpf_msg_redirect_map(msg, &sent, 1, direction);
}

char _license[] SEC("license") = "GPL";
