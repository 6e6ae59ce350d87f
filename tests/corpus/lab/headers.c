/* Callbacks that ask for TCP header options, write them and look for them, in the manner of lab.c: `config` chooses,
 * `headers` and `seen` report. Slots of `config`, those of `sock_ops` from 0 and those of `other_ops` from 32:
 *
 *  0 callbacks that set flags, a bit each    1 those flags    2 callbacks to report    3 1: the program returns 0, not 1; 2: at WRITE_HDR_OPT_CB alone
 *  4 callbacks that reserve    5 length    6 flags    7 length of a second reservation, if any
 *  8 callbacks that store    9 length    10 flags    11, 12, 13 the option, 8 bytes each
 *  14 callbacks that store another    15 its length    16 the option
 *  17 callbacks that look for one    18 length    19 flags    20, 21 what they look for
 *  22 callbacks that set an option of the socket    23 its name at SOL_TCP    28 to what, 4 bytes
 *  24 callbacks that read an option of the socket    25 its name at SOL_TCP    26 length
 *  27 1: runs for bare acknowledgements and for TCP_CURRENT_MSS are not reported
 */
#include <linux/bpf.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define inline inline __attribute__((always_inline))

static void *(*bpf_map_lookup_elem)(void *, const void *) = (void *)1;
static long (*bpf_setsockopt)(void *, int, int, void *, int) = (void *)49;
static long (*bpf_getsockopt)(void *, int, int, void *, int) = (void *)57;
static long (*bpf_sock_ops_cb_flags_set)(void *, int) = (void *)59;
static long (*bpf_map_push_elem)(void *, const void *, u64) = (void *)87;
static long (*bpf_load_hdr_opt)(void *, void *, u32, u64) = (void *)142;
static long (*bpf_store_hdr_opt)(void *, const void *, u32, u64) = (void *)143;
static long (*bpf_reserve_hdr_opt)(void *, u32, u64) = (void *)144;

#define SOL_TCP 6
#define LONGEST_HEADER 60
#define LONGEST_OPTION 128
#define ACK 0x10

struct header {
	u32 op;
	u32 program;
	u32 is_fullsock;
	u32 local_port;
	u32 arg;
	u32 length;
	u32 flags;
	u32 linear;
	u8 bytes[LONGEST_HEADER];
	int set;
	int reserve;
	int again;
	int store;
	int another;
	int load;
	u64 loaded[2];
	int wrote;
	int get;
	u8 option[LONGEST_OPTION];
};

struct seen {
	u32 program;
	u32 length;
	int result;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, u64);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 256);
	__type(value, struct header);
} headers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 256);
	__type(value, struct seen);
} seen SEC(".maps");

static inline u64 setting(u32 slot)
{
	u64 *value = bpf_map_lookup_elem(&config, &slot);

	return value ? *value : 0;
}

/* A length of 1 to `most`, a power of 2, as the verifier sees. */
static inline u32 length(u32 slot, u32 most)
{
	return ((setting(slot) - 1) & (most - 1)) + 1;
}

SEC("sk_skb/verdict")
int skb_verdict(struct __sk_buff *skb)
{
	struct seen run = {.program = 3, .length = skb->len, .result = SK_PASS};

	bpf_map_push_elem(&seen, &run, 0);
	return SK_PASS;
}

static inline void copy_header(struct bpf_sock_ops *ops, struct header *run)
{
	u8 *data = ops->skb_data, *end = ops->skb_data_end;

	run->linear = end - data;
#pragma unroll
	for (u32 index = 0; index < LONGEST_HEADER; index++) {
		if (data + index + 1 > end)
			break;
		run->bytes[index] = data[index];
	}
}

static inline int answer(struct bpf_sock_ops *ops, u32 program, u32 base)
{
	struct header run = {.op = ops->op, .program = program, .is_fullsock = ops->is_fullsock};
	u64 bit = 1ull << (run.op & 31);

	run.local_port = ops->local_port;
	run.arg = ops->args[0];
	run.length = ops->skb_len;
	run.flags = ops->skb_tcp_flags;
	if (run.op != BPF_SOCK_OPS_WRITE_HDR_OPT_CB)
		copy_header(ops, &run);
	if (setting(base + 0) & bit)
		run.set = bpf_sock_ops_cb_flags_set(ops, setting(base + 1));
	if (setting(base + 4) & bit) {
		run.reserve = bpf_reserve_hdr_opt(ops, setting(base + 5), setting(base + 6));
		if (setting(base + 7))
			run.again = bpf_reserve_hdr_opt(ops, setting(base + 7), 0);
	}
	if (setting(base + 8) & bit) {
		u64 option[4] = {setting(base + 11), setting(base + 12), setting(base + 13)};

		run.store = bpf_store_hdr_opt(ops, option, length(base + 9, 32), setting(base + 10));
	}
	if (setting(base + 14) & bit) {
		u64 option = setting(base + 16);

		run.another = bpf_store_hdr_opt(ops, &option, length(base + 15, 8), 0);
	}
	if (setting(base + 17) & bit) {
		run.loaded[0] = setting(base + 20);
		run.loaded[1] = setting(base + 21);
		run.load = bpf_load_hdr_opt(ops, run.loaded, length(base + 18, 16), setting(base + 19));
	}
	if (setting(base + 22) & bit) {
		int value = setting(base + 28);

		run.wrote = bpf_setsockopt(ops, SOL_TCP, setting(base + 23), &value, sizeof(value));
	}
	if (setting(base + 24) & bit) {
		int name = setting(base + 25);

		run.get = bpf_getsockopt(ops, SOL_TCP, name, run.option, length(base + 26, LONGEST_OPTION));
	}
	if (run.op == BPF_SOCK_OPS_WRITE_HDR_OPT_CB)
		copy_header(ops, &run);
	if (setting(base + 2) & bit) {
		u32 empty = run.op == BPF_SOCK_OPS_HDR_OPT_LEN_CB ? 0 : run.bytes[12] >> 4 << 2;
		int bare = run.op >= BPF_SOCK_OPS_PARSE_HDR_OPT_CB && (run.arg || (run.length == empty && run.flags == ACK));

		if (!bare || !setting(base + 27))
			bpf_map_push_elem(&headers, &run, 0);
	}
	u64 refuses = setting(base + 3);

	return refuses == 1 || (refuses == 2 && run.op == BPF_SOCK_OPS_WRITE_HDR_OPT_CB) ? 0 : 1;
}

SEC("sockops")
int sock_ops(struct bpf_sock_ops *ops)
{
	return answer(ops, 1, 0);
}

SEC("sockops")
int other_ops(struct bpf_sock_ops *ops)
{
	return answer(ops, 2, 32);
}

char LICENSE[] SEC("license") = "GPL";
