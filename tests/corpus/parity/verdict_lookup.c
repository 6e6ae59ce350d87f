/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_lookup.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	struct bpf_sock_tuple ends = {};
	struct bpf_sock *sk;

	ends.ipv4.saddr = skb->local_ip4;
	ends.ipv4.daddr = skb->remote_ip4;
	ends.ipv4.sport = bpf_htons(skb->local_port & ~1);
	ends.ipv4.dport = bpf_htons(bpf_ntohl(skb->remote_port));
	sk = bpf_sk_lookup_tcp(skb, &ends, sizeof(ends.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return SK_DROP;
	bpf_sk_release(sk);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
