/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_quota.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct account {
	__u64 used;
	__u64 limit;
	__u32 over;
	__u32 refused;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, __u64);
	__type(value, struct account);
} accounts SEC(".maps");

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct account *account = bpf_map_lookup_elem(&accounts, &cookie);

	if (!account)
		return SK_PASS;
	if (account->used + skb->len > account->limit) {
		account->over = 1;
		account->refused++;
		return SK_DROP;
	}
	account->used += skb->len;
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
