/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_knock.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FIRST 0x616c7068
#define SECOND 0x62657461
#define THIRD 0x67616d6d
#define OPEN 3

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __u8);
} progress SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	void *data, *data_end;
	__u8 step = 0, *known;
	__u32 expected;
	__be32 client;

	if (skb->len == 0)
		return SK_PASS;
	client = skb->remote_ip4;
	known = bpf_map_lookup_elem(&progress, &client);
	if (known)
		step = *known;
	if (step == OPEN)
		return SK_PASS;
	if (bpf_skb_pull_data(skb, 4))
		return SK_DROP;
	data = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if (data + 4 > data_end)
		return SK_DROP;
	expected = step == 0 ? FIRST : step == 1 ? SECOND : THIRD;
	if (*(__be32 *)data == bpf_htonl(expected))
		step++;
	else
		step = 0;
	bpf_map_update_elem(&progress, &client, &step, BPF_ANY);
	return SK_DROP;
}

char _license[] SEC("license") = "GPL";
