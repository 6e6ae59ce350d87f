#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): bpf_skb_pull_data in a stream verdict answers ENOMEM, not EINVAL, to a length past the
# buffer's end, and a length of zero pulls nothing on a buffer whose bytes lie in fragments (for other program types
# zero means "all of it" only as far as the head reaches). 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

/* Pulls numbers[0] bytes; reports the result in slot 1 and the readable bytes in slot 2. */
SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	u64 *length = number(0), *result = number(1), *readable = number(2);

	if (skb->len && length && result && readable) {
		*result = bpf_skb_pull_data(skb, *length);
		*readable = (void *)(long)skb->data_end - (void *)(long)skb->data;
	}
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

int main(void)
{
	int lengths[] = {0, 1, 5, 6, 4096}, pair[2];

	load();
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(pair);
	put(0, pair[1]);
	for (int i = 0; i < 5; i++) {
		set(0, lengths[i]);
		say(pair[0], "hello");
		printf("pull %d of 5: %lld, readable %lld\n", lengths[i], get(1), get(2));
	}
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
send "hello": 5
pull 0 of 5: 0, readable 0
send "hello": 5
pull 1 of 5: 0, readable 1
send "hello": 5
pull 5 of 5: 0, readable 5
send "hello": 5
pull 6 of 5: -12, readable 0
send "hello": 5
pull 4096 of 5: -12, readable 0
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
