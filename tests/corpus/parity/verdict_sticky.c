/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_sticky.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define BACKENDS 8

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, __u64);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u32);
} chosen SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u64 connection = bpf_get_socket_cookie(skb);
	__u32 backend, *known;

	known = bpf_map_lookup_elem(&chosen, &connection);
	if (known)
		return bpf_sk_redirect_map(skb, &backends, *known, 0);
	backend = bpf_get_prandom_u32() % BACKENDS;
	bpf_map_update_elem(&chosen, &connection, &backend, BPF_ANY);
	return bpf_sk_redirect_map(skb, &backends, backend, 0);
}

char _license[] SEC("license") = "GPL";
