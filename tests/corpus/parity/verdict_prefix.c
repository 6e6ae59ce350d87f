/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_prefix.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct prefix {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u8);
} networks SEC(".maps");

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	struct prefix prefix = { 32, skb->remote_ip4 };
	__u8 *allowed = bpf_map_lookup_elem(&networks, &prefix);

	if (!allowed || !*allowed)
		return SK_DROP;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
