/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_shaper.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SECOND 1000000000ULL
#define YOUNG_LIMIT 65536

struct ends {
	__be32 remote_ip;
	__be32 remote_port;
	__be32 local_ip;
	__u32 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct ends);
	__type(value, __u64);
} born SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	struct ends ends = {
		.remote_ip = msg->remote_ip4,
		.remote_port = msg->remote_port,
		.local_ip = msg->local_ip4,
		.local_port = msg->local_port,
	};
	__u64 now = bpf_ktime_get_ns();
	__u64 *first = bpf_map_lookup_elem(&born, &ends);

	if (!first)
		bpf_map_update_elem(&born, &ends, &now, BPF_ANY);
	else if (now - *first > SECOND)
		return SK_PASS;
	if (msg->size > YOUNG_LIMIT)
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
