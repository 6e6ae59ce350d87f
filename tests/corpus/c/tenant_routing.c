/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of examples/tenant_routing.py. */
#include "skverdict_test.h"

enum { EXPERIMENT = 254, MAGIC = 0x7E4A, LENGTH = 6 };

struct tenant_option {
	__u8 kind;
	__u8 length;
	__be16 magic;
	__be16 tenant;
};

const volatile __u16 tenant = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u16);
} tenants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} accepted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} workers SEC(".maps");

SEC("sockops")
int tag(struct bpf_sock_ops *skops)
{
	__u16 number = tenant;

	if (number == 0)
		return 1;
	switch (skops->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		bpf_sock_ops_cb_flags_set(skops, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		bpf_reserve_hdr_opt(skops, LENGTH, 0);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB: {
		struct tenant_option option = {EXPERIMENT, LENGTH, bpf_htons(MAGIC), bpf_htons(number)};

		bpf_store_hdr_opt(skops, &option, sizeof(option), 0);
		break;
	}
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		bpf_sock_ops_cb_flags_set(skops, 0);
		break;
	}
	return 1;
}

SEC("sockops")
int route(struct bpf_sock_ops *skops)
{
	if (skops->op == BPF_SOCK_OPS_TCP_LISTEN_CB) {
		int one = 1;

		bpf_setsockopt(skops, SOL_TCP, TCP_SAVE_SYN, &one, sizeof(one));
	} else if (skops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		struct tenant_option option = {EXPERIMENT, 4, bpf_htons(MAGIC), 0};

		if (bpf_load_hdr_opt(skops, &option, sizeof(option), BPF_LOAD_HDR_OPT_TCP_SYN) == LENGTH) {
			__u64 cookie = bpf_get_socket_cookie(skops);
			__u16 number = bpf_htons(option.tenant);

			bpf_map_update_elem(&tenants, &cookie, &number, BPF_ANY);
			bpf_sock_hash_update(skops, &accepted, &cookie, BPF_ANY);
		}
	}
	return 1;
}

SEC("sk_skb/verdict")
int hand_on(struct __sk_buff *skb)
{
	__u64 cookie;
	__u16 *number;

	if (skb->len == 0)
		return SK_PASS;
	cookie = bpf_get_socket_cookie(skb);
	number = bpf_map_lookup_elem(&tenants, &cookie);
	if (!number)
		return SK_DROP;
	return bpf_sk_redirect_map(skb, &workers, *number, BPF_F_INGRESS);
}

LICENSE("GPL");
