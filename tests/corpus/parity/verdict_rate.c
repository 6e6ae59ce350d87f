/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_rate.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define REFILL 10000000ULL
#define DEPTH 64

struct bucket {
	__u64 tokens;
	__u64 filled;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __be32);
	__type(value, struct bucket);
} buckets SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	__u64 now, passed;
	struct bucket *bucket;
	__be32 client;

	if (skb->len == 0)
		return SK_PASS;
	now = bpf_ktime_get_ns();
	client = skb->remote_ip4;
	bucket = bpf_map_lookup_elem(&buckets, &client);
	if (!bucket) {
		struct bucket full = { .tokens = DEPTH - 1, .filled = now };

		bpf_map_update_elem(&buckets, &client, &full, BPF_ANY);
		return SK_PASS;
	}
	passed = now - bucket->filled;
	if (passed >= REFILL) {
		bucket->tokens += passed / REFILL;
		if (bucket->tokens > DEPTH)
			bucket->tokens = DEPTH;
		bucket->filled = now;
	}
	if (bucket->tokens == 0)
		return SK_DROP;
	bucket->tokens--;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
