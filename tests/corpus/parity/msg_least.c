/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_least.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

#define APPLY 0
#define LEAST 1

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 key = LEAST, *least, *apply;

	least = bpf_map_lookup_elem(&numbers, &key);
	if (least && msg->size < *least)
		return bpf_msg_cork_bytes(msg, *least) ? SK_DROP : SK_PASS;
	key = APPLY;
	apply = bpf_map_lookup_elem(&numbers, &key);
	if (!apply || bpf_msg_apply_bytes(msg, *apply))
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
