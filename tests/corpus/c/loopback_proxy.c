/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/loopback_proxy.py. */
#include "skverdict_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} peers SEC(".maps");

SEC("sk_skb/stream_verdict")
int splice(struct __sk_buff *skb)
{
	__u64 cookie;

	if (skb->len == 0)
		return SK_PASS;
	cookie = bpf_get_socket_cookie(skb);
	return bpf_sk_redirect_hash(skb, &peers, &cookie, 0);
}

LICENSE("GPL");
