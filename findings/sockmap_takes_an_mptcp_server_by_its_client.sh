#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): whether a socket accepted from an MPTCP listener can go into a socket map depends on
# the client: if it speaks plain TCP, accept gives a plain TCP socket and it goes in; if it speaks MPTCP, EOPNOTSUPP. Go's
# net package listens with MPTCP since 1.24, so a proxy that worked for every client until then sees some refused.
# A client's own MPTCP socket is refused even after it fell back to TCP. 6.12.117 and 7.2.13 gave the same.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"
END
cat >"$work/user.c" <<'END'
#include "user.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static const char *outcome(int error)
{
	return error ? strerror(-error) : "goes in";
}

static void connect_with(const char *name, int server_protocol, int client_protocol)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, server_protocol), client, server;

	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	client = socket(AF_INET, SOCK_STREAM, client_protocol);
	connect(client, (struct sockaddr *)&address, length);
	server = accept(listener, NULL, NULL);
	printf("%s: accepted %s, connected %s\n", name, outcome(put(0, server)), outcome(put(1, client)));
	close(client);
	close(server);
	close(listener);
}

int main(void)
{
	load();
	connect_with("TCP client, MPTCP server", IPPROTO_MPTCP, 0);
	connect_with("MPTCP client, MPTCP server", IPPROTO_MPTCP, IPPROTO_MPTCP);
	connect_with("MPTCP client, TCP server", 0, IPPROTO_MPTCP);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
TCP client, MPTCP server: accepted goes in, connected goes in
MPTCP client, MPTCP server: accepted Operation not supported, connected Operation not supported
MPTCP client, TCP server: accepted goes in, connected Operation not supported
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
