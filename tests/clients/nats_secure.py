"""A program as users write it with nats-py, over TLS and with credentials: it traces nothing.

Takes what it publishes itself. Says on standard output, one JSON object a line, what came.
"""

import argparse
import asyncio
import hashlib
import json
import ssl

import nats


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--ca", help="speaks TLS, and trusts this authority")
    parser.add_argument("--first", action="store_true", help="begins with the TLS handshake")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--token")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--size", type=int, default=100, help="bytes of each message")
    return parser.parse_args()


def security(args):
    if not args.ca:
        return {}
    context = ssl.create_default_context(cafile=args.ca)
    if args.certificate:
        context.load_cert_chain(args.certificate, args.key)
    return {"tls": context, "tls_hostname": "localhost", "tls_handshake_first": args.first}


async def main():
    args = arguments()
    named = {"user": args.user, "password": args.password, "token": args.token}
    named = {name: value for name, value in named.items() if value}
    nc = await nats.connect(args.server, name="secure", allow_reconnect=False, connect_timeout=10,
                            **security(args), **named)
    subscription = await nc.subscribe("secure.orders")
    await nc.flush(20)
    payloads = [bytes([n % 251]) * args.size for n in range(args.count)]
    for payload in payloads:
        await nc.publish("secure.orders", payload)
    whole = 0
    for payload in payloads:
        message = await subscription.next_msg(timeout=20)
        whole += hashlib.sha256(message.data).digest() == hashlib.sha256(payload).digest()
        headers = message.headers or {}
    print(json.dumps({"event": "done", "whole": whole, "traceparent": headers.get("traceparent"),
                      "tls_required": nc._server_info.get("tls_required", False)}), flush=True)
    await nc.close()


asyncio.run(main())
