/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of verdict_counted.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} by_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} by_name SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} answers SEC(".maps");

#define MAP 15
#define HASH 18

int choice = MAP;
__u64 flags;

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	__u32 key = 0, *count;
	int answer = choice;

	if (choice == MAP)
		answer = bpf_sk_redirect_map(skb, &by_index, 0, flags);
	else if (choice == HASH)
		answer = bpf_sk_redirect_hash(skb, &by_name, &key, flags);
	count = bpf_map_lookup_elem(&answers, &answer);
	if (count)
		(*count)++;
	return answer;
}

SEC("sk_msg")
int sender(struct sk_msg_md *msg)
{
	__u32 key = 0, *count;
	int answer = choice;

	if (choice == MAP)
		answer = bpf_msg_redirect_map(msg, &by_index, 0, flags);
	else if (choice == HASH)
		answer = bpf_msg_redirect_hash(msg, &by_name, &key, flags);
	count = bpf_map_lookup_elem(&answers, &answer);
	if (count)
		(*count)++;
	return answer;
}

char _license[] SEC("license") = "GPL";
