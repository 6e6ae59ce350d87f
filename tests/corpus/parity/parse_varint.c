/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of parse_varint.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MORE 0x80

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	__u32 length = 0;
	__u8 byte;

	for (int i = 0; i < 4; i++) {
		if (bpf_skb_load_bytes(skb, i, &byte, 1))
			return 0;
		length |= (__u32)(byte & 0x7f) << (7 * i);
		if (!(byte & MORE))
			return length + i + 1;
	}
	return -1;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	return bpf_sk_redirect_map(skb, &sockets, bpf_ntohl(skb->remote_ip4) & 7, 0);
}

char _license[] SEC("license") = "GPL";
