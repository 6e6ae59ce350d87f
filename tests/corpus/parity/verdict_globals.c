/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_globals.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct totals {
	__u64 segments;
	__u64 size;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

const volatile __u32 longest = 40;
__u32 step = 2;
struct totals totals;
__u32 refused;

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	if (skb->len > longest) {
		refused += step;
		return SK_DROP;
	}
	totals.segments++;
	totals.size += skb->len;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
