/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_tuple.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2

struct connection {
	__be32 remote_ip;
	__be32 local_ip;
	__be32 remote_port;
	__u32 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4096);
	__type(key, struct connection);
	__type(value, __u64);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} flags SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	struct connection connection;
	__u32 index = 0;
	__u64 *how;

	if (skb->family != AF_INET)
		return SK_PASS;
	how = bpf_map_lookup_elem(&flags, &index);
	if (!how)
		return SK_PASS;
	connection.remote_ip = skb->remote_ip4;
	connection.local_ip = skb->local_ip4;
	connection.remote_port = skb->remote_port;
	connection.local_port = skb->local_port;
	return bpf_sk_redirect_hash(skb, &peers, &connection, *how);
}

char _license[] SEC("license") = "GPL";
