"""The trace of OpenTelemetry's current span, in rows and in log lines."""

import logging
import sys

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider

from trackmate import track
from trackmate.logging import ActivityContextFilter
from trackmate.middleware import TrackmateMiddleware

REMOTE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{REMOTE}-00f067aa0ba902b7-01"


@pytest.fixture
def tracer():
    return TracerProvider().get_tracer("tests")


def ask(view=lambda _request: HttpResponse(), **headers):
    request = RequestFactory().get("/", headers=headers)
    TrackmateMiddleware(view)(request)
    request.close()


def trace_of(span):
    return f"{span.get_span_context().trace_id:032x}"


def test_a_request_is_of_the_trace_of_its_span(activities, tracer):
    with tracer.start_as_current_span("request") as span:
        ask(lambda _request: track("inside") or HttpResponse(), traceparent=TRACEPARENT)
    assert [each.trace_id for each in activities] == [trace_of(span)] * 2


def test_without_a_span_it_is_of_that_of_the_client(activities):
    assert "opentelemetry.trace" in sys.modules
    ask(traceparent=TRACEPARENT)
    assert activities[0].trace_id == REMOTE


def test_a_span_that_nobody_records_counts_as_well(activities):
    remote = trace.SpanContext(int(REMOTE, 16), 7, is_remote=True)
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(remote)))
    ask()
    context.detach(token)
    assert activities[0].trace_id == REMOTE


def test_a_task_and_its_log_lines_are_of_the_trace_of_its_span(activities, tracer):
    record = logging.makeLogRecord({})
    with tracer.start_as_current_span("task") as span:
        track("task.done")
        ActivityContextFilter().filter(record)
    assert activities[0].trace_id == record.trace_id == trace_of(span)
