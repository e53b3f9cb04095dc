"""Sends one span over gRPC to an OTLP receiver: shows that the receiver itself works."""

import argparse

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as stubs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True, help="host:port")
    parser.add_argument("--header", action="append", default=[], help="name=value")
    parser.add_argument("--name", required=True, help="of the span")
    arguments = parser.parse_args()

    request = service.ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    attribute = resource_spans.resource.attributes.add()
    attribute.key, attribute.value.string_value = "service.name", "sender"
    span = resource_spans.scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes(range(1, 17)), bytes(range(1, 9))
    span.name = arguments.name
    span.kind = 4
    with grpc.insecure_channel(arguments.target) as channel:
        metadata = [tuple(header.split("=", 1)) for header in arguments.header]
        stubs.TraceServiceStub(channel).Export(request, timeout=10, metadata=metadata)


if __name__ == "__main__":
    main()
