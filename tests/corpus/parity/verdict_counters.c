/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_counters.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 messages;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} allowed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 index = 0, answer, *allow;
	struct traffic *seen;

	allow = bpf_map_lookup_elem(&allowed, &index);
	if (!allow)
		return SK_DROP;
	answer = *allow ? SK_PASS : SK_DROP;
	seen = bpf_map_lookup_elem(&traffic, &answer);
	if (seen) {
		seen->messages++;
		seen->bytes += skb->len;
	}
	return answer;
}

char _license[] SEC("license") = "GPL";
