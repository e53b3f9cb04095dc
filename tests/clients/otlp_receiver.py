"""An OTLP receiver made of other people's code: grpcio, opentelemetry-proto and http.server.

It speaks gRPC and HTTP/protobuf, and says on standard output, one JSON object a line, what it
received. It never samples, joins or corrects anything. One command a line on standard input:

  {"fault": {...}}   answer coming requests this way; null: answer them well again
                     status     an HTTP status; over gRPC the code that OTLP maps to it
                     times      for that many requests only (default: until told otherwise)
                     delay      seconds to wait before the answer
                     rejected   partial success: so many spans were refused
                     half       HTTP only: half of an answer, then the connection ends
                     retry_after  seconds, as the HTTP header
  {"sync": n}        answered by {"synced": n} after everything said before it

The end of standard input ends the program, so that it never outlives the test that started it.
"""

import argparse
import gzip
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

# What OTLP's table of retryable answers pairs with each HTTP status: names in grpc.StatusCode.
GRPC_CODES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED",
              500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}

said = threading.Lock()


def say(record):
    with said:
        print(json.dumps(record), flush=True)


class Script:
    """The fault that is in force."""

    def __init__(self):
        self.lock = threading.Lock()
        self.fault = {}
        self.left = None

    def set(self, fault):
        with self.lock:
            self.fault = fault or {}
            self.left = self.fault.get("times")

    def take(self):
        with self.lock:
            if self.left is None:
                return self.fault
            if self.left == 0:
                return {}
            self.left -= 1
            return self.fault


def value_of(value):
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)


def attributes_of(pairs):
    return {pair.key: value_of(pair.value) for pair in pairs}


def span_of(resource, scope_spans, span):
    return {
        "resource": resource,
        "scope": scope_spans.scope.name,
        "schema_url": scope_spans.schema_url,
        "name": span.name,
        "kind": span.kind,
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "trace_state": span.trace_state,
        "flags": span.flags,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": attributes_of(span.attributes),
        "links": [{"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(),
                   "attributes": attributes_of(link.attributes)} for link in span.links],
        "events": [{"name": event.name, "attributes": attributes_of(event.attributes)}
                   for event in span.events],
        "status": {"code": span.status.code, "message": span.status.message},
    }


def spans_of(request):
    for resource_spans in request.resource_spans:
        resource = attributes_of(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield span_of(resource, scope_spans, span)


def report(transport, headers, status, request):
    """Says what came. A request that was refused is told apart by its status."""
    spans = list(spans_of(request))
    say({"request": {"transport": transport, "headers": headers, "status": status,
                     "spans": spans}})


def good_answer(fault):
    answer = service.ExportTraceServiceResponse()
    if "rejected" in fault:
        answer.partial_success.rejected_spans = fault["rejected"]
        answer.partial_success.error_message = "refused by the test's script"
    return answer


def http_handler(script):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.body()
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            fault = script.take()
            status = fault.get("status", 200)
            if self.path != "/v1/traces":
                status = 404
            request = service.ExportTraceServiceRequest.FromString(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            report("http", headers, status, request)
            time.sleep(fault.get("delay", 0))
            self.answer(status, fault)

        def body(self):
            # Node's exporter does not say how long its requests are.
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            chunks = []
            while length := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def answer(self, status, fault):
            body = good_answer(fault).SerializeToString()
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            if "retry_after" in fault:
                self.send_header("retry-after", str(fault["retry_after"]))
            # Half an answer: the header promises more than ever comes.
            self.send_header("content-length", str(len(body) + 10 * bool(fault.get("half"))))
            self.end_headers()
            self.wfile.write(body)
            if fault.get("half"):
                self.close_connection = True

        def log_message(self, *_):
            pass

    return Handler


def start_grpc(port, script):
    # Only here: importing grpc takes half a second that HTTP tests need not pay.
    import grpc
    from concurrent import futures
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as stubs

    class Servicer(stubs.TraceServiceServicer):
        def Export(self, request, context):
            fault = script.take()
            status = fault.get("status", 200)
            headers = {pair.key: pair.value for pair in context.invocation_metadata()
                       if isinstance(pair.value, str)}
            report("grpc", headers, status, request)
            time.sleep(fault.get("delay", 0))
            if status != 200:
                context.abort(getattr(grpc.StatusCode, GRPC_CODES[status]), "the test's script")
            return good_answer(fault)

    # One export of each gateway may be under way; no test runs more gateways than this at once.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16),
                         options=[("grpc.so_reuseport", 0),
                                  ("grpc.max_receive_message_length", -1)])
    stubs.add_TraceServiceServicer_to_server(Servicer(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # Many gateways may connect in the same instant; the default of 5 makes the sixth wait a second.
    request_queue_size = 64


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--http-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--grpc-port", type=int, help="0: any free port; left out: no gRPC")
    arguments = parser.parse_args()

    script = Script()
    ports = {}
    server = HttpServer(("127.0.0.1", arguments.http_port), http_handler(script))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ports["http"] = server.server_address[1]
    if arguments.grpc_port is not None:
        grpc_server, ports["grpc"] = start_grpc(arguments.grpc_port, script)
    say({"ready": ports})

    for line in sys.stdin:
        command = json.loads(line)
        if "fault" in command:
            script.set(command["fault"])
        if "sync" in command:
            say({"synced": command["sync"]})
    if arguments.grpc_port is not None:
        grpc_server.stop(None)


if __name__ == "__main__":
    main()
