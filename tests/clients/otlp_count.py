"""An OTLP receiver over HTTP that counts and forgets, for runs with too many spans to keep.

It says {"ready": {"http": port}} on standard output when it listens. A line on standard input asks
for what it has counted: {"spans": n, "receives": n, "requests": n}; "receives" are the spans that
tell of a pull. The end of standard input ends the program.
"""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

counted = {"spans": 0, "receives": 0, "requests": 0}
lock = threading.Lock()


def count(request):
    names = [
        span.name
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    with lock:
        counted["requests"] += 1
        counted["spans"] += len(names)
        counted["receives"] += sum(name.startswith("receive ") for name in names)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        count(service.ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"ready": {"http": server.server_address[1]}}), flush=True)
    for _ in sys.stdin:
        with lock:
            print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
