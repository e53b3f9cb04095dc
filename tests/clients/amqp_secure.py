"""A program as users write it with pika, over TLS: it traces nothing.

Takes what it publishes itself. Says on standard output, as a JSON object, what came.
"""

import argparse
import hashlib
import json
import ssl

import pika


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--vhost", required=True)
    parser.add_argument("--ca", help="speaks TLS, and trusts this authority")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--size", type=int, default=100, help="bytes of each message")
    args = parser.parse_args()
    options = None
    if args.ca:
        context = ssl.create_default_context(cafile=args.ca)
        options = pika.SSLOptions(context, "localhost")
    connection = pika.BlockingConnection(pika.ConnectionParameters(
        "127.0.0.1", args.port, args.vhost, ssl_options=options,
        client_properties={"connection_name": "secure"}))
    channel = connection.channel()
    channel.queue_declare("secure")
    channel.confirm_delivery()
    bodies = [bytes([number % 251]) * args.size for number in range(args.count)]
    for body in bodies:
        channel.basic_publish("", "secure", body)
    whole = 0
    for body, (method, properties, found) in zip(bodies, channel.consume("secure")):
        channel.basic_ack(method.delivery_tag)
        whole += hashlib.sha256(body).digest() == hashlib.sha256(found).digest()
        if method.delivery_tag == args.count:
            break
    print(json.dumps({"event": "done", "whole": whole, "headers": properties.headers or {}}))
    connection.close()


main()
