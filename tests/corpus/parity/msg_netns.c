/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_netns.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
} messages SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u8 *first = msg->data;
	__u64 namespace, *count, one = 1;

	if ((void *)(first + 1) > msg->data_end || *first < 0x20 || *first >= 0x7f)
		return SK_DROP;
	namespace = bpf_get_netns_cookie(msg);
	count = bpf_map_lookup_elem(&messages, &namespace);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&messages, &namespace, &one, BPF_ANY);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
