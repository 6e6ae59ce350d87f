/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_process.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} senders SEC(".maps");

__u32 refused = 1;

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	struct bpf_sock *sk = msg->sk;
	__u64 *sender;

	sender = bpf_sk_storage_get(&senders, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!sender)
		return SK_DROP;
	*sender = process;
	bpf_sk_storage_delete(&senders, sk);
	return process == refused ? SK_DROP : SK_PASS;
}

char _license[] SEC("license") = "GPL";
