/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_stamp.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u32);
} settings SEC(".maps");

#define STAMP 0x50415353
#define FLAGS 1

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 key = FLAGS, *flags;

	if (bpf_skb_adjust_room(skb, 4, BPF_ADJ_ROOM_NET, 0))
		return SK_DROP;
	if (!bpf_skb_pull_data(skb, 4)) {
		__be32 *stamp = (void *)(long)skb->data;

		if ((void *)(stamp + 1) <= (void *)(long)skb->data_end)
			*stamp = bpf_htonl(STAMP);
	}
	flags = bpf_map_lookup_elem(&settings, &key);
	if (flags && *flags)
		return bpf_sk_redirect_map(skb, &targets, 0, *flags);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
