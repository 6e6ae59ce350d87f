/* Programs that the kernel's verifier refuses: `-D CASE_name` chooses one. The refused line says `here`. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef LICENSE
#define LICENSE "GPL"
#endif

struct counter {
	__u64 count;
	__u8 slots[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

#ifdef CASE_null
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	counter->count += 1; /* here */
	return SK_PASS;
}
#endif

#ifdef CASE_packet
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data;

	return data[4] == 'G' ? SK_PASS : SK_DROP; /* here */
}
#endif

#ifdef CASE_pulled
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 1 > end)
		return SK_DROP;
	bpf_skb_pull_data(skb, 1);
	return *data == 'G' ? SK_PASS : SK_DROP; /* here */
}
#endif

#ifdef CASE_index
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	__u32 key = 0, index = skb->len;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	if (!counter || index > 40)
		return SK_DROP;
	return counter->slots[index] ? SK_PASS : SK_DROP; /* here */
}
#endif

#ifdef CASE_length
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	__u8 bytes[16] = {};

	bpf_skb_load_bytes(skb, 0, bytes, skb->len); /* here */
	return bytes[0] ? SK_PASS : SK_DROP;
}
#endif

#ifdef CASE_loop
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	volatile int going = 1;

	while (going) /* here */
		;
	return SK_PASS;
}
#endif

#ifdef CASE_stack
static __attribute__((noinline)) int inner(struct __sk_buff *skb)
{
	volatile __u8 room[300];

	room[skb->len & 127] = 1;
	return room[0];
}

SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb) /* whole */
{
	volatile __u8 room[300];

	room[skb->len & 127] = 2;
	return room[0] + inner(skb);
}
#endif

#ifdef CASE_helper
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	return bpf_xdp_adjust_head((void *)skb, 0); /* here */
}
#endif

#ifdef CASE_field
SEC("sk_msg")
int refused(struct sk_msg_md *msg)
{
	return *(volatile __u32 *)((char *)msg + 200); /* here */
}
#endif

#ifdef CASE_write
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	*(volatile __u32 *)&skb->len = 1; /* here */
	return SK_PASS;
}
#endif

#ifdef CASE_leak
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	__u64 *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0); /* taken */

	if (record)
		*record = skb->len;
	return SK_PASS; /* anywhere */
}
#endif

#ifdef CASE_license
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	bpf_printk("seen"); /* here */
	return SK_PASS;
}
#endif

#ifdef CASE_argument
SEC("sk_skb/stream_verdict")
int refused(struct __sk_buff *skb)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(skb, &key) ? SK_PASS : SK_DROP; /* here */
}
#endif

#ifdef CASE_result
SEC("sockops")
int refused(struct bpf_sock_ops *skops)
{
	return 5; /* anywhere */
}
#endif

#ifdef CASE_fixed
SEC("sk_skb/stream_verdict")
int accepted(struct __sk_buff *skb)
{
	return SK_PASS;
}
#endif

char _license[] SEC("license") = LICENSE;
