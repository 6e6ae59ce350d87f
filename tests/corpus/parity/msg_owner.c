/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_owner.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} users SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} bytes_by_user SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 user = bpf_get_current_uid_gid();
	__u64 *total, size;

	if (user != 0 && !bpf_map_lookup_elem(&users, &user))
		return SK_DROP;
	size = msg->size;
	total = bpf_map_lookup_elem(&bytes_by_user, &user);
	if (total)
		*total += size;
	else
		bpf_map_update_elem(&bytes_by_user, &user, &size, BPF_ANY);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
