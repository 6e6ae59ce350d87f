/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_six.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10

struct client {
	__be32 address[4];
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, struct client);
	__type(value, __u64);
} homes SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	struct client client = { .port = skb->local_port };

	if (skb->family == AF_INET6) {
		client.address[0] = skb->remote_ip6[0];
		client.address[1] = skb->remote_ip6[1];
		client.address[2] = skb->remote_ip6[2];
		client.address[3] = skb->remote_ip6[3];
	} else if (skb->family == AF_INET) {
		client.address[2] = bpf_htonl(0xffff);
		/* Without `volatile` clang makes one load of both branches, which the verifier refuses. */
		client.address[3] = *(volatile __be32 *)&skb->remote_ip4;
	} else {
		return SK_DROP;
	}
	return bpf_sk_redirect_hash(skb, &homes, &client, BPF_F_INGRESS);
}

char _license[] SEC("license") = "GPL";
