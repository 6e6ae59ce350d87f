/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_commands.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AUTH 0x41555448
#define HELP 0x48454c50
#define QUIT 0x51554954
#define LINE 64

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	void *data = msg->data;

	if (data + 4 > msg->data_end) {
		bpf_msg_cork_bytes(msg, 4);
		return SK_PASS;
	}
	switch (*(__be32 *)data) {
	case bpf_htonl(HELP):
		bpf_msg_apply_bytes(msg, msg->size);
		return SK_PASS;
	case bpf_htonl(AUTH):
		if (msg->size < LINE)
			bpf_msg_cork_bytes(msg, LINE);
		return SK_PASS;
	case bpf_htonl(QUIT):
	default:
		return SK_DROP;
	}
}

char _license[] SEC("license") = "GPL";
