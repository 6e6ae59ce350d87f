/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_port.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define WEB 10000
#define MAIL 10001

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 port;

	if (skb->local_port == WEB)
		return bpf_sk_redirect_map(skb, &sockets, 0, 0);
	if (skb->local_port == MAIL)
		return bpf_sk_redirect_map(skb, &sockets, 1, 0);
	port = bpf_ntohl(skb->remote_port);
	if (port < 1024)
		return SK_DROP;
	return bpf_sk_redirect_map(skb, &sockets, port % 14 + 2, 0);
}

char _license[] SEC("license") = "GPL";
