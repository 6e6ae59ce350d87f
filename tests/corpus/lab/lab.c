/* Programs whose behaviour user space chooses through the array map `config`, and which report each of their runs
 * in the queue map `runs`: one object for every question about parsers, verdicts and sk_msg. Slots of `config`:
 *
 *  0 parser    0: skb->len; 1: the first byte, less '0'; 2: 10 once 10 bytes are there, else 0; 3: -71;
 *              100 + n: n
 *  1 verdict   0: SK_PASS; 1: SK_DROP; 2: redirect to `targets`; 3: redirect, then SK_DROP; 4: return 2;
 *              5: SK_DROP if the first byte is '!', else SK_PASS
 *  2 redirect flags    3 redirect key
 *  4 sk_msg    0: SK_PASS; 1: SK_DROP; 2: redirect to `targets`; 3: SK_DROP if the first byte is '!', else SK_PASS;
 *              4: redirect, then SK_PASS all the same; 5: redirect if the first byte is '>', else SK_PASS
 *  5 apply bytes    6 cork bytes (only while size is smaller)    7, 8 pull start and end    9, 10 push start and
 *  length, filled with '#'    11, 12 pop start and length    13 pull length in the verdict
 */
#include <linux/bpf.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

static void *(*bpf_map_lookup_elem)(void *, const void *) = (void *)1;
static long (*bpf_skb_load_bytes)(const void *, u32, void *, u32) = (void *)26;
static long (*bpf_skb_pull_data)(void *, u32) = (void *)39;
static long (*bpf_sk_redirect_map)(void *, void *, u32, u64) = (void *)52;
static long (*bpf_msg_redirect_map)(void *, void *, u32, u64) = (void *)60;
static long (*bpf_msg_apply_bytes)(void *, u32) = (void *)61;
static long (*bpf_msg_cork_bytes)(void *, u32) = (void *)62;
static long (*bpf_msg_pull_data)(void *, u32, u32, u64) = (void *)63;
static long (*bpf_map_push_elem)(void *, const void *, u64) = (void *)87;
static long (*bpf_msg_push_data)(void *, u32, u32, u64) = (void *)90;
static long (*bpf_msg_pop_data)(void *, u32, u32, u64) = (void *)91;

#define HEAD 12

struct run {
	u32 program;
	u32 length;
	u32 linear;
	int result;
	u8 head[HEAD];
	int helper;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, u64);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__type(value, struct run);
} runs SEC(".maps");

static __attribute__((always_inline)) u64 setting(u32 slot)
{
	u64 *value = bpf_map_lookup_elem(&config, &slot);

	return value ? *value : 0;
}

static __attribute__((always_inline)) void report_skb(struct __sk_buff *skb, u32 program, int result, int helper)
{
	struct run run = {.program = program, .length = skb->len, .result = result, .helper = helper};
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	run.linear = end - data;
#pragma unroll
	for (u32 i = 0; i < HEAD; i++)
		if (i < run.length)
			bpf_skb_load_bytes(skb, i, &run.head[i], 1);
	bpf_map_push_elem(&runs, &run, 0);
}

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	u64 mode = setting(0);
	int result = skb->len;
	u8 first = 0;

	if (mode >= 100) {
		result = mode - 100;
	} else if (mode == 1) {
		bpf_skb_load_bytes(skb, 0, &first, 1);
		result = first - '0';
	} else if (mode == 2) {
		result = skb->len >= 10 ? 10 : 0;
	} else if (mode == 3) {
		result = -71;
	}
	report_skb(skb, 1, result, 0);
	return result;
}

static __attribute__((always_inline)) int judge(struct __sk_buff *skb, u32 program)
{
	u64 mode = setting(1), pull = setting(13);
	int result = SK_PASS, helper = 0;
	u8 first = 0;

	if (pull)
		helper = bpf_skb_pull_data(skb, pull);
	if (mode == 1) {
		result = SK_DROP;
	} else if (mode == 2) {
		result = helper = bpf_sk_redirect_map(skb, &targets, setting(3), setting(2));
	} else if (mode == 3) {
		helper = bpf_sk_redirect_map(skb, &targets, setting(3), setting(2));
		result = SK_DROP;
	} else if (mode == 4) {
		result = 2;
	} else if (mode == 5) {
		bpf_skb_load_bytes(skb, 0, &first, 1);
		result = first == '!' ? SK_DROP : SK_PASS;
	}
	report_skb(skb, program, result, helper);
	return result;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	return judge(skb, 2);
}

SEC("sk_skb/verdict")
int skb_verdict(struct __sk_buff *skb)
{
	return judge(skb, 3);
}

SEC("sk_msg")
int msg_verdict(struct sk_msg_md *msg)
{
	u64 mode = setting(4), apply = setting(5), cork = setting(6);
	u64 pull_end = setting(8), push = setting(10), pop = setting(12);
	struct run run = {.program = 4, .length = msg->size, .result = SK_PASS};
	u8 *data, *end;

	if (pull_end)
		run.helper = bpf_msg_pull_data(msg, setting(7), pull_end, 0);
	if (push)
		run.helper = bpf_msg_push_data(msg, setting(9), push, 0);
	if (pop)
		run.helper = bpf_msg_pop_data(msg, setting(11), pop, 0);
	if (apply)
		bpf_msg_apply_bytes(msg, apply);
	if (cork && msg->size < cork)
		bpf_msg_cork_bytes(msg, cork);
	data = msg->data;
	end = msg->data_end;
	run.linear = end - data;
#pragma unroll
	for (u32 i = 0; i < HEAD; i++)
		if (data + i + 1 <= end)
			run.head[i] = data[i];
	if (mode == 1)
		run.result = SK_DROP;
	else if (mode == 2)
		run.result = bpf_msg_redirect_map(msg, &targets, setting(3), setting(2));
	else if (mode == 3)
		run.result = run.head[0] == '!' ? SK_DROP : SK_PASS;
	else if (mode == 4)
		run.helper = bpf_msg_redirect_map(msg, &targets, setting(3), setting(2));
	else if (mode == 5 && run.head[0] == '>')
		run.result = bpf_msg_redirect_map(msg, &targets, setting(3), setting(2));
	bpf_map_push_elem(&runs, &run, 0);
	return run.result;
}

char LICENSE[] SEC("license") = "GPL";
