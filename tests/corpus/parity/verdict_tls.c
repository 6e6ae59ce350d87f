/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_tls.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum { HELLO, RECORD, PLAIN, SHORT };

#define HANDSHAKE 22
#define CLIENT_HELLO 1

struct record {
	__u8 kind;
	__u8 major;
	__u8 minor;
	__u8 length_high;
	__u8 length_low;
	__u8 message;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} terminators SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *number = bpf_map_lookup_elem(&seen, &what);

	if (number)
		*number += 1;
}

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	struct record *record;
	void *data_end;

	if (skb->len == 0)
		return SK_PASS;
	if (bpf_skb_pull_data(skb, skb->len < 6 ? skb->len : 6))
		return SK_DROP;
	record = (void *)(long)skb->data;
	data_end = (void *)(long)skb->data_end;
	if ((void *)(record + 1) > data_end) {
		count(SHORT);
		return SK_PASS;
	}
	if (record->major != 3 || record->minor > 4 || record->kind < 20 || record->kind > 24) {
		count(PLAIN);
		return SK_DROP;
	}
	if (record->kind == HANDSHAKE && record->message == CLIENT_HELLO) {
		count(HELLO);
		return bpf_sk_redirect_map(skb, &terminators, skb->hash & 3, 0);
	}
	count(RECORD);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
