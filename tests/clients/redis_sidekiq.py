"""The commands with which Sidekiq sends a job, works on it, and tries it again.

Says on standard output, one JSON object a line, which job it got.
"""

import argparse
import json
import time

import redis

QUEUE = "queue:default"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--job", required=True, help="JSON of a job")
    args = parser.parse_args()

    def connect(name):
        return redis.Redis.from_url(args.url, client_name=name, decode_responses=True)

    web, worker = connect("web"), connect("sidekiq")

    def send(client, job):
        with client.pipeline(transaction=True) as pipe:
            pipe.sadd("queues", "default")
            pipe.lpush(QUEUE, job)
            pipe.execute()

    def take():
        _, job = worker.brpop([QUEUE, "queue:low"], timeout=5)
        print(json.dumps({"event": "job", "job": json.loads(job)}), flush=True)
        return job

    send(web, args.job)
    failed = {**json.loads(take()), "error_message": "no", "retry_count": 0}
    worker.zadd("retry", {json.dumps(failed): time.time()})
    [due] = worker.zrangebyscore("retry", "-inf", time.time(), start=0, num=1)
    assert json.loads(due) == failed, "what waits is kept as it is"
    worker.zrem("retry", due)
    send(worker, due)
    take()


main()
