/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/hash_redirect.py. */
#include "skverdict_test.h"

struct socket_key {
	__be32 src_ip;
	__be32 dst_ip;
	__u32 src_port;
	__u32 dst_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, struct socket_key);
	__type(value, __u64);
} sock_hash_rx SEC(".maps");

static inline void extract_socket_key(struct __sk_buff *skb, struct socket_key *key)
{
	key->src_ip = skb->remote_ip4;
	key->dst_ip = skb->local_ip4;
	key->src_port = skb->remote_port >> 16;
	key->dst_port = bpf_htonl(skb->local_port) >> 16;
}

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	struct socket_key key;

	extract_socket_key(skb, &key);

	return bpf_sk_redirect_hash(skb, &sock_hash_rx, &key, 0);
}

LICENSE("GPL");
