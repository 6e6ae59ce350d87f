"""Hand what is sent to the local proxy's socket if the proxy serves the destination, else to the network."""

from skverdict.dsl import (
    BPF_F_INGRESS,
    SK_PASS,
    HashMap,
    SkMsg,
    SockHash,
    Struct,
    be32,
    i32,
    msg_verdict,
    u16,
    u32,
    u64,
)


class Destination(Struct):
    address: be32
    port: be32


class Service(Struct):
    proxy: u32
    flags: u16
    weight: u16
    bytes: u64


proxies = SockHash(key=u32, max_entries=64)
services = HashMap(key=Destination, value=Service, max_entries=1024)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    service = services.lookup(Destination(address=msg.remote_ip4, port=msg.remote_port))
    if service is None or service.flags & 1:
        return SK_PASS
    service.bytes += msg.size
    return proxies.redirect(msg, service.proxy, BPF_F_INGRESS)
