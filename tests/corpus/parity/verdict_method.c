/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_method.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} writers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __u64);
} refused SEC(".maps");

static __always_inline __be32 word(const char *text)
{
	return bpf_htonl((__u32)text[0] << 24 | text[1] << 16 | text[2] << 8 | text[3]);
}

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	void *data, *data_end;
	__be32 method, client;
	__u64 *times;

	if (skb->len == 0)
		return SK_PASS;
	if (bpf_skb_pull_data(skb, skb->len < 4 ? skb->len : 4))
		return SK_DROP;
	data = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if (data + 4 > data_end)
		return SK_DROP;

	method = *(__be32 *)data;
	if (method == word("GET ") || method == word("HEAD"))
		return SK_PASS;
	if (method == word("POST") || method == word("PUT "))
		return bpf_sk_redirect_map(skb, &writers, 0, 0);

	client = skb->remote_ip4;
	times = bpf_map_lookup_elem(&refused, &client);
	if (times) {
		*times += 1;
	} else {
		__u64 one = 1;

		bpf_map_update_elem(&refused, &client, &one, BPF_ANY);
	}
	return SK_DROP;
}

char _license[] SEC("license") = "GPL";
