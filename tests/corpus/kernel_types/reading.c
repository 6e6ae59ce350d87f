/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of reading.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define OF_KERNEL __attribute__((preserve_access_index))
#define FIELD_EXISTS 2

struct sock_common {
	unsigned short skc_num;
	__be16 skc_dport;
	__be32 skc_daddr;
} OF_KERNEL;
struct sock {
	struct sock_common __sk_common;
} OF_KERNEL;
struct inet_sock {
	struct sock sk;
} OF_KERNEL;
struct inet_connection_sock {
	struct inet_sock icsk_inet;
} OF_KERNEL;
struct tcp_sock {
	struct inet_connection_sock inet_conn;
} OF_KERNEL;
struct task_struct {
	char comm[16];
	struct task_struct *group_leader;
	int tgid;
	int never_in_any_kernel;
} OF_KERNEL;

struct seen {
	__u8 name[16];
	__u32 process;
	__u32 leader;
	__u8 first;
	__u8 absent;
	__u32 port;
	__u32 peer_port;
	__u32 peer;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct seen);
} seen SEC(".maps");

SEC("sk_msg")
int sender(struct sk_msg_md *msg)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	struct task_struct *leader = task->group_leader;
	struct tcp_sock *tcp = (void *)bpf_skc_to_tcp_sock(msg->sk);
	struct seen found = {};
	__u32 key = 0;

	if (!leader || !tcp)
		return SK_PASS;
	found.process = task->tgid;
	found.leader = leader->tgid;
	found.first = task->comm[0];
	if (__builtin_preserve_field_info(task->never_in_any_kernel, FIELD_EXISTS))
		found.absent = task->never_in_any_kernel & 1;
	else
		found.absent = 77;
	bpf_probe_read_kernel(found.name, sizeof(found.name), task->comm);
	found.port = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_num;
	found.peer_port = bpf_ntohs(tcp->inet_conn.icsk_inet.sk.__sk_common.skc_dport);
	found.peer = bpf_ntohl(tcp->inet_conn.icsk_inet.sk.__sk_common.skc_daddr);
	bpf_map_update_elem(&seen, &key, &found, 0);
	return SK_PASS;
}

SEC("sk_skb/stream_verdict")
int receiver(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock *tcp;
	struct seen found = {};
	__u32 key = 1;

	if (!sk)
		return SK_PASS;
	tcp = (void *)bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return SK_PASS;
	found.port = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_num;
	found.peer_port = bpf_ntohs(tcp->inet_conn.icsk_inet.sk.__sk_common.skc_dport);
	bpf_map_update_elem(&seen, &key, &found, 0);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
