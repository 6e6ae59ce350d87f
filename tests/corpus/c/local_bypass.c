/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/local_bypass.py. */
#include "skverdict_test.h"

struct endpoint {
	__be32 local_ip;
	__be32 remote_ip;
	__u32 local_port;
	__be32 remote_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65535);
	__type(key, struct endpoint);
	__type(value, __u64);
} endpoints SEC(".maps");

SEC("sockops")
int remember(struct bpf_sock_ops *skops)
{
	if ((skops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || skops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) &&
	    skops->family == AF_INET) {
		struct endpoint key = {
			.local_ip = skops->local_ip4,
			.remote_ip = skops->remote_ip4,
			.local_port = skops->local_port,
			.remote_port = skops->remote_port,
		};

		bpf_sock_hash_update(skops, &endpoints, &key, BPF_NOEXIST);
	}
	return 1;
}

SEC("sk_msg")
int bypass(struct sk_msg_md *msg)
{
	if (msg->family != AF_INET)
		return SK_PASS;

	struct endpoint other_end = {
		.local_ip = msg->remote_ip4,
		.remote_ip = msg->local_ip4,
		.local_port = bpf_ntohl(msg->remote_port),
		.remote_port = bpf_htonl(msg->local_port),
	};

	bpf_msg_redirect_hash(msg, &endpoints, &other_end, BPF_F_INGRESS);
	return SK_PASS;
}

LICENSE("GPL");
