/* Programs about addresses, hashes of sockets and callbacks, in the manner of lab.c: `config` chooses, `seen` and
 * `callbacks` report. Slots of `config`:
 *
 *  0 callbacks that put their socket into a map, a bit each    1 into which: 0 `sockets`; 1 `hash` by its addresses;
 *  2 `hash` at key {slot 2}    2 index in `sockets`, or that key    3 update flags
 *  4 callbacks that set flags, a bit each    5 those flags    6 reply to every callback
 *  8 verdicts  0: SK_PASS; 1: SK_DROP; redirect to 2: `hash` by its addresses; 3: by its peer's; 4: key {slot 9};
 *              5: `sockets` at slot 9; 6: `sockets` at the remainder of the local port by 4
 *  10 redirect flags    11 pull length in the verdicts
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
static long (*bpf_skb_pull_data)(void *, u32) = (void *)39;
static long (*bpf_sk_redirect_map)(void *, void *, u32, u64) = (void *)52;
static long (*bpf_sock_map_update)(void *, void *, void *, u64) = (void *)53;
static long (*bpf_sock_ops_cb_flags_set)(void *, int) = (void *)59;
static long (*bpf_msg_redirect_map)(void *, void *, u32, u64) = (void *)60;
static long (*bpf_msg_pull_data)(void *, u32, u32, u64) = (void *)63;
static long (*bpf_sock_hash_update)(void *, void *, void *, u64) = (void *)70;
static long (*bpf_msg_redirect_hash)(void *, void *, void *, u64) = (void *)71;
static long (*bpf_sk_redirect_hash)(void *, void *, void *, u64) = (void *)72;
static long (*bpf_map_push_elem)(void *, const void *, u64) = (void *)87;

struct key {
	u32 remote_ip4;
	u32 local_ip4;
	u32 remote_port;
	u32 local_port;
};

struct seen {
	u32 program;
	u32 length;
	u32 linear;
	u32 family;
	struct key addresses;
	u32 remote_ip6;
	u32 local_ip6;
	int result;
};

struct callback {
	u32 op;
	u32 is_fullsock;
	u32 family;
	u32 state;
	struct key addresses;
	u32 args[2];
	int update;
	int flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u32);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4);
	__type(key, struct key);
	__type(value, u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, u64);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__type(value, struct seen);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__type(value, struct callback);
} callbacks SEC(".maps");

static inline u64 setting(u32 slot)
{
	u64 *value = bpf_map_lookup_elem(&config, &slot);

	return value ? *value : 0;
}

/* A context's addresses; `remote_port` is in network order there, and in the machine's here. */
#define ADDRESSES(context)                                                                                             \
	{                                                                                                              \
		.remote_ip4 = (context)->remote_ip4, .local_ip4 = (context)->local_ip4,                               \
		.remote_port = __builtin_bswap32((context)->remote_port), .local_port = (context)->local_port,        \
	}

static inline struct key chosen(const struct key *addresses, u64 mode)
{
	struct key peer = {addresses->local_ip4, addresses->remote_ip4, addresses->local_port, addresses->remote_port};
	struct key constant = {.remote_ip4 = setting(9)};

	return mode == 2 ? *addresses : mode == 3 ? peer : constant;
}

static inline u32 place(const struct key *addresses, u64 mode)
{
	return mode == 5 ? setting(9) : addresses->local_port & 3;
}

static inline int judge(struct __sk_buff *skb, u32 program)
{
	struct seen run = {.program = program, .family = skb->family, .addresses = ADDRESSES(skb)};
	u64 mode = setting(8), pull = setting(11);
	struct key key = chosen(&run.addresses, mode);

	if (pull)
		bpf_skb_pull_data(skb, pull);
	run.length = skb->len;
	run.linear = skb->data_end - skb->data;
	run.remote_ip6 = skb->remote_ip6[3];
	run.local_ip6 = skb->local_ip6[3];
	run.result = mode == 0 ? SK_PASS : SK_DROP;
	if (mode >= 2 && mode <= 4)
		run.result = bpf_sk_redirect_hash(skb, &hash, &key, setting(10));
	else if (mode >= 5)
		run.result = bpf_sk_redirect_map(skb, &sockets, place(&run.addresses, mode), setting(10));
	bpf_map_push_elem(&seen, &run, 0);
	return run.result;
}

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	struct seen run = {.program = 1, .family = skb->family, .addresses = ADDRESSES(skb)};

	run.length = skb->len;
	run.linear = skb->data_end - skb->data;
	run.remote_ip6 = skb->remote_ip6[3];
	run.local_ip6 = skb->local_ip6[3];
	run.result = skb->len;
	bpf_map_push_elem(&seen, &run, 0);
	return run.result;
}

SEC("sk_skb/stream_parser")
int pulling_parser(struct __sk_buff *skb)
{
	bpf_skb_pull_data(skb, skb->len);
	return skb->len;
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
	struct seen run = {.program = 4, .family = msg->family, .addresses = ADDRESSES(msg)};
	u64 mode = setting(8), pull = setting(11);
	struct key key = chosen(&run.addresses, mode);

	if (pull)
		bpf_msg_pull_data(msg, 0, pull, 0);
	run.length = msg->size;
	run.linear = msg->data_end - msg->data;
	run.remote_ip6 = msg->remote_ip6[3];
	run.local_ip6 = msg->local_ip6[3];
	run.result = mode == 0 ? SK_PASS : SK_DROP;
	if (mode >= 2 && mode <= 4)
		run.result = bpf_msg_redirect_hash(msg, &hash, &key, setting(10));
	else if (mode >= 5)
		run.result = bpf_msg_redirect_map(msg, &sockets, place(&run.addresses, mode), setting(10));
	bpf_map_push_elem(&seen, &run, 0);
	return run.result;
}

SEC("sockops")
int sock_ops(struct bpf_sock_ops *ops)
{
	struct callback run = {.op = ops->op, .is_fullsock = ops->is_fullsock, .family = ops->family};
	struct key addresses = ADDRESSES(ops);
	u64 where = setting(1), flags = setting(3);
	struct key constant = {.remote_ip4 = setting(2)};
	u32 index = setting(2);

	run.state = ops->state;
	run.addresses = addresses;
	run.args[0] = ops->args[0];
	run.args[1] = ops->args[1];
	if (setting(0) >> run.op & 1) {
		if (where == 0)
			run.update = bpf_sock_map_update(ops, &sockets, &index, flags);
		else if (where == 1)
			run.update = bpf_sock_hash_update(ops, &hash, &addresses, flags);
		else
			run.update = bpf_sock_hash_update(ops, &hash, &constant, flags);
	}
	if (setting(4) >> run.op & 1)
		run.flags = bpf_sock_ops_cb_flags_set(ops, setting(5));
	bpf_map_push_elem(&callbacks, &run, 0);
	ops->reply = setting(6);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
