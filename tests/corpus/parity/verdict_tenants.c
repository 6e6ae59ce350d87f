/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_tenants.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct clients {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __be32);
	__type(value, __u64);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct clients);
} tenants SEC(".maps") = {
	.values = { &first, &second },
};

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 tenant = skb->local_port & 3;
	void *clients = bpf_map_lookup_elem(&tenants, &tenant);
	__be32 client;
	__u64 *count, one = 1;

	if (!clients)
		return SK_DROP;
	client = skb->remote_ip4;
	count = bpf_map_lookup_elem(clients, &client);
	if (!count) {
		bpf_map_update_elem(clients, &client, &one, BPF_ANY);
		return SK_PASS;
	}
	return ++*count < 3 ? SK_PASS : SK_DROP;
}

char _license[] SEC("license") = "GPL";
