/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_ports.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define LOOPBACK 0x7f000000
#define MASK 0xff000000

enum { DENY, LOCAL, ALLOW };

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u8);
} rules SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 port;
	__u8 *rule;

	if (msg->family != AF_INET)
		return SK_DROP;
	port = bpf_ntohl(msg->remote_port);
	rule = bpf_map_lookup_elem(&rules, &port);
	if (!rule || *rule == DENY)
		return SK_DROP;
	if (*rule == ALLOW)
		return SK_PASS;
	if ((msg->remote_ip4 & bpf_htonl(MASK)) == bpf_htonl(LOOPBACK))
		return SK_PASS;
	return SK_DROP;
}

char _license[] SEC("license") = "GPL";
