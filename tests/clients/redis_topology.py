"""Connects as programs do that look for other servers, and says on standard output, one JSON object a
line, what they were told.
"""

import argparse
import json

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel


def attempt(what, connect):
    try:
        answer, error = connect(), None
    except Exception as caught:
        answer, error = None, f"{caught} {caught.__cause__}"
    print(json.dumps({"event": what, "answer": answer, "error": error}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["cluster", "sentinel"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--direct", required=True, help="the same past the gateway")
    args = parser.parse_args()
    host, port = args.url.removeprefix("redis://").split(":")

    def plain(protocol):
        return redis.Redis.from_url(args.url, protocol=protocol, decode_responses=True)

    # Says HELLO, and then does not.
    attempt("hello", lambda: plain(3).ping())
    attempt("plain", lambda: plain(2).ping())
    if args.role == "cluster":
        direct = redis.Redis.from_url(args.direct)
        direct.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        attempt("slots", lambda: plain(2).execute_command("CLUSTER SLOTS"))
        node = ClusterNode(host, int(port))
        attempt("cluster", lambda: RedisCluster(startup_nodes=[node], protocol=2).ping())
    else:
        sentinel = Sentinel([(host, int(port))], protocol=2)
        attempt("sentinel", lambda: sentinel.sentinels[0].sentinel_masters())


main()
