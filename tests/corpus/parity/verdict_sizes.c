/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_sizes.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define BUCKETS 17

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BUCKETS);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} most SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 bucket = 0, index = 0, rest, *limit;
	__u64 *count;

	for (rest = skb->len; rest > 1 && bucket < BUCKETS - 1; rest >>= 1)
		bucket++;
	count = bpf_map_lookup_elem(&sizes, &bucket);
	if (count)
		*count += 1;
	limit = bpf_map_lookup_elem(&most, &index);
	if (limit && *limit && skb->len > *limit)
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
