/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_print.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u8 *data = msg->data;

	if ((void *)(data + 8) > (void *)msg->data_end)
		return SK_DROP;
	bpf_printk("size %u", msg->size);
	bpf_printk("begins %u %u", data[0], data[1]);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
