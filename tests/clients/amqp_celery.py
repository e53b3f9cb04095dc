"""A Celery application as its users write it, its worker, and a program that sends tasks.

  work    a prefork worker of one process, until SIGTERM
  send    sends one kind of task, waits for its result, and says what it was

It knows nothing of tracing, unless --instrument switches on OpenTelemetry's own instrumentation of
Celery, which exports as the environment says. Says on standard output, one JSON object a line,
{"event": "ready"} when the worker takes tasks, and what each task was and when it ran (Unix
seconds).
"""

import argparse
import json
import os
import sys
import time

import celery
from celery import signals


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["work", "send"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--results", required=True, help="a folder for results")
    parser.add_argument("--name", default="shop", help="connection name")
    parser.add_argument("--instrument", action="store_true")
    parser.add_argument("--late", action="store_true", help="acknowledge after the work")
    parser.add_argument("--tasks-per-child", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--kind", default="add")
    parser.add_argument("--count", type=int, default=1)
    return parser.parse_args()


def say(**record):
    # In one write, because the processes of a worker share the stream.
    os.write(1, (json.dumps(record) + "\n").encode())


args = arguments()
app = celery.Celery("shop", broker=args.url, backend=f"file://{args.results}")
app.conf.update(
    broker_transport_options={"client_properties": {"connection_name": args.name}},
    broker_connection_retry_on_startup=True,
    task_acks_late=args.late,
    worker_concurrency=args.concurrency,
    worker_max_tasks_per_child=args.tasks_per_child or None,
    worker_redirect_stdouts=False,
)


def run(task, work=0.3):
    began = time.time()
    time.sleep(work)
    request = task.request
    say(event="task", name=task.name, id=request.id, retries=request.retries, began=began,
        ended=time.time(), traceparent=getattr(request, "traceparent", None), process=os.getpid())


@app.task(bind=True, name="shop.add")
def add(self, x, y):
    run(self)
    return x + y


@app.task(bind=True, name="shop.total")
def total(self, numbers):
    run(self)
    return sum(numbers)


@app.task(bind=True, name="shop.flaky", max_retries=2)
def flaky(self):
    run(self)
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return "done"


@app.task(bind=True, name="shop.broken")
def broken(self):
    run(self)
    raise ValueError("broken on purpose")


KINDS = {
    "add": lambda: add.delay(2, 3),
    "countdown": lambda: add.apply_async((2, 3), countdown=1.5),
    "chain": lambda: (add.s(1, 2) | add.s(3) | add.s(4))(),
    "chord": lambda: celery.chord([add.s(1, 1), add.s(2, 2)])(total.s()),
    "retry": flaky.delay,
    "failure": broken.delay,
}


def instrument(**_):
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"{args.name}-otel"}))
    # One by one, because a process of one task ends before a batch is due.
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()


@signals.worker_ready.connect
def ready(**_):
    say(event="ready")


def main():
    if args.role == "work":
        if args.instrument:
            # In each process of the pool, as the instrumentation's documentation wants it.
            signals.worker_process_init.connect(instrument, weak=False)
        app.worker_main(["worker", "--pool", "prefork", "--loglevel", "WARNING",
                         "--hostname", f"{args.name}@%h"])
        return
    if args.instrument:
        instrument()
    for _ in range(args.count):
        sent = time.time()
        result = KINDS[args.kind]()
        try:
            value = result.get(timeout=60)
        except ValueError as error:
            value = str(error)
        say(event="result", id=result.id, value=value, sent=sent, at=time.time())


main()
