/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_beside.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MOST 40

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} sent SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	struct bpf_sock *sk = msg->sk;
	__u64 *total;

	if (!sk)
		return SK_DROP;
	total = bpf_sk_storage_get(&sent, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!total)
		return SK_DROP;
	*total += msg->size;
	return *total <= MOST ? SK_PASS : SK_DROP;
}

char _license[] SEC("license") = "GPL";
