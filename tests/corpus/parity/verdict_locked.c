/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_locked.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	struct bpf_spin_lock lock;
	__u32 segments;
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
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic SEC(".maps");

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 port = skb->local_port & 15, length;
	struct traffic *seen = bpf_map_lookup_elem(&traffic, &port);

	if (!seen)
		return SK_DROP;
	length = skb->len;
	bpf_spin_lock(&seen->lock);
	seen->segments++;
	seen->size += length;
	bpf_spin_unlock(&seen->lock);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
