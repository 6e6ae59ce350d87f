/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_zones.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct sizes {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 16);
	__type(key, __u32);
	__array(values, struct sizes);
} zones SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 port = bpf_ntohl(msg->remote_port), index = 0, *least;
	void *zone = bpf_map_lookup_elem(&zones, &port);

	if (!zone)
		return SK_PASS;
	least = bpf_map_lookup_elem(zone, &index);
	if (!least || msg->size < *least)
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
