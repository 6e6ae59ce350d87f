/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_six.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define AF_INET6 10
#define MOST 100

struct prefix {
	__be32 high[2];
};

struct client {
	__be32 address[4];
	__be32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 8192);
	__type(key, struct client);
	__type(value, __u64);
} clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct prefix);
	__type(value, __u32);
} counts SEC(".maps");

SEC("sockops")
int admit(struct bpf_sock_ops *skops)
{
	struct prefix prefix;
	struct client client;
	__u32 *count;

	if (skops->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB || skops->family != AF_INET6)
		return 1;
	client.address[0] = skops->remote_ip6[0];
	client.address[1] = skops->remote_ip6[1];
	client.address[2] = skops->remote_ip6[2];
	client.address[3] = skops->remote_ip6[3];
	client.port = skops->remote_port;

	prefix.high[0] = client.address[0];
	prefix.high[1] = client.address[1];
	count = bpf_map_lookup_elem(&counts, &prefix);
	if (!count) {
		__u32 one = 1;

		bpf_map_update_elem(&counts, &prefix, &one, BPF_ANY);
	} else if (*count >= MOST) {
		return 1;
	} else {
		*count += 1;
	}
	bpf_sock_hash_update(skops, &clients, &client, BPF_ANY);
	return 1;
}

char _license[] SEC("license") = "GPL";
