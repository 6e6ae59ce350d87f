/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_payload.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define STAMP 0xc0dec0de

struct request {
	__u8 target;
	__u8 flags;
	__u8 spare;
	__u8 version;
	__be32 stamp;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	struct request *request;
	void *data_end;

	if (bpf_skb_pull_data(skb, 8))
		return SK_DROP;
	request = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if ((void *)(request + 1) > data_end || request->version != 1)
		return SK_DROP;
	request->stamp = bpf_htonl(STAMP);
	return bpf_sk_redirect_map(skb, &targets, request->target, request->flags & 1 ? BPF_F_INGRESS : 0);
}

char _license[] SEC("license") = "GPL";
