/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_report.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct seen {
	__be32 client;
	__u32 port;
	__u32 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} reports SEC(".maps");

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	struct seen *seen = bpf_ringbuf_reserve(&reports, sizeof(*seen), 0);

	if (!seen)
		return SK_PASS;
	seen->client = skb->remote_ip4;
	seen->port = skb->local_port;
	seen->length = skb->len;
	if (skb->local_port == 10001)
		bpf_ringbuf_discard(seen, 0);
	else
		bpf_ringbuf_submit(seen, 0);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
