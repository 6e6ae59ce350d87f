/* Callbacks that read and set options of their socket, and values beside it, in the manner of lab.c: `config` chooses,
 * `options` and `seen` report. Slots of `config`:
 *
 *  0 callbacks that set an option, a bit each    1 its level    2 its name    3, 4 its value, 8 bytes each    5 length
 *  6 callbacks that read the option, a bit each    7 length
 *  8 callbacks that store a value beside the socket, a bit each    9 that value    10 callbacks that read it
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
static long (*bpf_map_push_elem)(void *, const void *, u64) = (void *)87;
static void *(*bpf_sk_storage_get)(void *, void *, void *, u64) = (void *)107;

#define LONGEST 16

struct option {
	u32 op;
	int set;
	int get;
	u8 value[LONGEST];
	int cloned;
	int plain;
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
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, u64);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, int);
} cloned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, int);
} plain SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 256);
	__type(value, struct option);
} options SEC(".maps");

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

/* A length of 1 to LONGEST, as the verifier sees. */
static inline u32 length(u32 slot)
{
	return ((setting(slot) - 1) & (LONGEST - 1)) + 1;
}

static inline int stored(void *map, struct bpf_sock *sk)
{
	int *value = bpf_sk_storage_get(map, sk, 0, 0);

	return value ? *value : -1;
}

SEC("sk_skb/verdict")
int skb_verdict(struct __sk_buff *skb)
{
	struct seen run = {.program = 3, .length = skb->len, .result = SK_PASS};

	bpf_map_push_elem(&seen, &run, 0);
	return SK_PASS;
}

SEC("sockops")
int sock_ops(struct bpf_sock_ops *ops)
{
	struct option run = {.op = ops->op, .cloned = -1, .plain = -1};
	u64 sets = setting(0) >> run.op & 1, gets = setting(6) >> run.op & 1;
	u64 stores = setting(8) >> run.op & 1, reads = setting(10) >> run.op & 1;
	int level = setting(1), name = setting(2), value = setting(9);
	u64 wanted[2] = {setting(3), setting(4)};
	struct bpf_sock *sk = ops->sk;

	if (sets)
		run.set = bpf_setsockopt(ops, level, name, wanted, length(5));
	__builtin_memset(run.value, 0xee, LONGEST);
	if (gets)
		run.get = bpf_getsockopt(ops, level, name, run.value, length(7));
	if (stores && sk) {
		bpf_sk_storage_get(&cloned, sk, &value, BPF_SK_STORAGE_GET_F_CREATE);
		bpf_sk_storage_get(&plain, sk, &value, BPF_SK_STORAGE_GET_F_CREATE);
	}
	if (reads && sk) {
		run.cloned = stored(&cloned, sk);
		run.plain = stored(&plain, sk);
	}
	if (sets || gets || stores || reads)
		bpf_map_push_elem(&options, &run, 0);
	ops->reply = -1;
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
