"""Streams as users write them with redis-py: none of it knows of tracing.

Says on standard output, one JSON object a line, what it added and what it got.
"""

import argparse
import json
import time

import redis

STREAM, GROUP = "orders", "workers"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["produce", "work", "claim", "tail", "fail", "commands"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--protocol", type=int, default=2)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--work", type=float, default=0.0, help="seconds for each entry")
    return parser.parse_args()


def say(**record):
    print(json.dumps(record), flush=True)


def produce(args, connect):
    """A few entries one by one, a few in a pipeline, a few in a transaction."""
    client = connect("shop")
    client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    for number in range(args.count):
        say(event="added", id=client.xadd(STREAM, {"number": number}, maxlen=1000))
    for transaction in [False, True]:
        with client.pipeline(transaction=transaction) as pipe:
            for number in range(args.count):
                pipe.set("last", number)
                pipe.xadd(STREAM, {"number": number})
            for id in pipe.execute()[1::2]:
                say(event="added", id=id)


def read(client, consumer, count):
    [[_, entries]] = items(client.xreadgroup(GROUP, consumer, {STREAM: ">"}, count=count, block=5000))
    # Version 3 puts the entries of a stream into one more list.
    return entries[0] if entries and isinstance(entries[0], list) else entries


def items(reply):
    return list(reply.items()) if isinstance(reply, dict) else reply


def work(args, connect):
    """Reads with one connection, settles with another."""
    reader, settler = connect("billing"), connect("billing")
    for _ in range(args.count):
        [[id, fields]] = read(reader, "one", 1)
        time.sleep(args.work)
        settler.xack(STREAM, GROUP, id)
        say(event="done", id=id, fields=fields)


def claim(args, connect):
    """One consumer takes an entry and dies; another takes it over."""
    [[id, _]] = read(connect("billing"), "dead", 1)
    time.sleep(args.work)
    client = connect("billing")
    [[claimed, fields]] = client.xautoclaim(STREAM, GROUP, "alive", min_idle_time=0)[1]
    assert claimed == id, (claimed, id)
    client.xack(STREAM, GROUP, id)
    say(event="done", id=id, fields=fields)


def tail(args, connect):
    """Reads without a group."""
    [[_, entries]] = items(connect("audit").xread({STREAM: "0"}, count=args.count))
    entries = entries[0] if isinstance(entries[0], list) else entries
    say(event="read", count=len(entries))


def fail(args, connect):
    """Adds to what is no stream."""
    client = connect("shop")
    client.set("text", "x")
    try:
        client.xadd("text", {"a": 1})
    except redis.ResponseError as error:
        say(event="refused", error=str(error))


def commands(args, connect):
    """What else a program does on its connections."""
    client = connect("web")
    assert client.ping()
    client.set("a", "1")
    assert client.get("a") == "1" and client.mget("a", "b") == ["1", None]
    client.rpush("q", *map(str, range(10)))
    assert client.blpop("q", timeout=1) == ["q", "0"] or client.llen("q") == 9
    assert client.lrange("q", 0, -1) == [str(n) for n in range(1, 10)]
    assert client.eval("return {1, {2, 'x'}}", 0) == [1, [2, "x"]]
    client.set("large", "x" * 3_000_000)
    assert len(client.get("large")) == 3_000_000
    with client.pubsub() as pubsub:
        pubsub.subscribe("news", "more")
        pubsub.psubscribe("n*")
        for _ in range(3):
            pubsub.get_message(timeout=5)
        client.publish("news", "hello")
        got = [pubsub.get_message(timeout=5) for _ in range(2)]
        assert sorted(message["type"] for message in got) == ["message", "pmessage"], got
        pubsub.unsubscribe()
        pubsub.punsubscribe()
        for _ in range(3):
            pubsub.get_message(timeout=5)
    with client.pipeline() as pipe:
        pipe.watch("a")
        client.set("a", "2")
        pipe.multi()
        pipe.xadd(STREAM, {"never": "added"})
        try:
            pipe.execute()
        except redis.WatchError:
            say(event="taken back")
    say(event="added", id=client.xadd(STREAM, {"a": 1}))


def main():
    args = arguments()

    def connect(name):
        return redis.Redis.from_url(args.url, client_name=name, protocol=args.protocol,
                                    decode_responses=True, single_connection_client=False)

    globals()[args.role](args, connect)


main()
