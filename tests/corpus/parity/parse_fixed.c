/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of parse_fixed.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MESSAGE 10

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} messages SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	return MESSAGE;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 index = 0;
	__u64 *count = bpf_map_lookup_elem(&messages, &index);

	if (count)
		*count += 1;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
