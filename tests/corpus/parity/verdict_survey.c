/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_survey.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define BUDGET 100

struct total {
	__u64 size;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

static long add(void *map, __u32 *key, __u64 *size, struct total *total)
{
	total->size += *size;
	return 0;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 port = skb->local_port & 3;
	__u64 *size = bpf_map_lookup_elem(&sizes, &port);
	struct total total = {};

	if (!size)
		return SK_DROP;
	*size += skb->len;
	bpf_for_each_map_elem(&sizes, add, &total, 0);
	return total.size <= BUDGET ? SK_PASS : SK_DROP;
}

char _license[] SEC("license") = "GPL";
