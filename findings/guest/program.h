/* Declarations of the BPF side. */
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

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} numbers SEC(".maps");

static inline u64 *number(u32 slot)
{
	return bpf_map_lookup_elem(&numbers, &slot);
}

static inline void add(u32 slot)
{
	u64 *value = number(slot);

	if (value)
		*value += 1;
}

char LICENSE[] SEC("license") = "GPL";
