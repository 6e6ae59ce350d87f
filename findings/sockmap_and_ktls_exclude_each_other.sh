#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): TLS in the kernel and maps of sockets exclude each other, whichever comes first. A
# socket that has TCP_ULP "tls" does not go into a map (EINVAL). One that is in a map takes TCP_ULP, then refuses the
# keys (EINVAL), and goes on in the clear. Much is written about programs that see what kTLS decrypts: that was of
# other kernels. 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	u64 *bytes = number(0);

	if (bytes)
		*bytes += skb->len;
	return SK_PASS;
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

#include <linux/tls.h>

static void upgrade(const char *name, int socket)
{
	int result = setsockopt(socket, IPPROTO_TCP, TCP_ULP, "tls", 3);

	printf("%s: TCP_ULP: %s\n", name, result ? strerror(errno) : "ok");
}

static void give_keys(const char *name, int socket, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info = {.version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128},
	};
	int result = setsockopt(socket, SOL_TLS, direction, &info, sizeof(info));

	printf("%s: keys: %s\n", name, result ? strerror(errno) : "ok");
}

static void put_in(const char *name, int socket)
{
	int result = put(0, socket);

	printf("%s: put: %s\n", name, result ? strerror(-result) : "ok");
}

int main(void)
{
	int pair[2];

	load();
	attach("verdict", BPF_SK_SKB_STREAM_VERDICT);
	connect_pair(pair);
	upgrade("client", pair[0]);
	give_keys("client", pair[0], TLS_TX);
	upgrade("server", pair[1]);
	give_keys("server", pair[1], TLS_RX);
	say(pair[0], "with TLS");
	hear("server", pair[1], 500);
	put_in("server", pair[1]);
	connect_pair(pair);
	put_in("second", pair[1]);
	say(pair[0], "before");
	hear("second", pair[1], 500);
	upgrade("second", pair[1]);
	give_keys("second", pair[1], TLS_RX);
	say(pair[0], "after");
	hear("second", pair[1], 500);
	printf("bytes passed: %lld\n", get(0));
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
client: TCP_ULP: ok
client: keys: ok
server: TCP_ULP: ok
server: keys: ok
send "with TLS": 8
server has "with TLS"
server: put: Invalid argument
second: put: ok
send "before": 6
second has "before"
second: TCP_ULP: ok
second: keys: Invalid argument
send "after": 5
second has "after"
bytes passed: 11
end of output, status 0
END
GUEST_MODULES='gf128mul ghash-generic ctr gcm tls' guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
