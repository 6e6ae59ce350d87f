/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_unwrap.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAGIC 0x7e55

struct tunnel {
	__be16 magic;
	__u8 version;
	__u8 channel;
	__be32 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} channels SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	struct tunnel *header;
	void *data_end;
	__u32 channel;

	if (bpf_skb_pull_data(skb, sizeof(*header)))
		return SK_DROP;
	header = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if ((void *)(header + 1) > data_end)
		return SK_DROP;
	if (header->magic != bpf_htons(MAGIC) || header->version != 2)
		return SK_DROP;
	if (bpf_ntohl(header->length) != skb->len - sizeof(*header))
		return SK_DROP;
	channel = header->channel;
	if (bpf_skb_adjust_room(skb, -8, BPF_ADJ_ROOM_NET, 0))
		return SK_DROP;
	return bpf_sk_redirect_map(skb, &channels, channel, 0);
}

char _license[] SEC("license") = "GPL";
