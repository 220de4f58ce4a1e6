"""Errors as gRPC tells them: those of the API, under the same codes (rest/codes.py)."""

import json
import re
from collections.abc import Iterator
from typing import Any

import grpc
from django.http import HttpResponse
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from rest_framework.exceptions import APIException

from rest.problems import problem_from_exception

MOST_TOLD = 20  # fields that are wrong: details go as metadata, of which clients take 8 KiB
DOMAIN = "ordersite"  # of google.rpc.ErrorInfo: whose reasons these are
# By the HTTP status of a code. What the transport itself refuses (a message too large) has no code of ours.
STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}


class DeadlineRequired(APIException):
    status_code = 400
    default_code = "deadline_required"
    default_detail = "A call needs a deadline: without one, who calls may wait for ever."


class TooManyCalls(APIException):
    status_code = 429
    default_code = "too_many_calls"
    default_detail = "As many calls are being answered as one server takes. Try another one, or later."
    wait = 1


class TooManyWatchers(APIException):
    status_code = 429
    default_code = "too_many_watchers"
    default_detail = "As many calls watch orders as one server takes. Try another one, or later."
    wait = 5


class ShuttingDown(APIException):
    status_code = 503
    default_code = "shutting_down"
    default_detail = "This server is being stopped. Call again: another one answers, or this one's successor."
    wait = 1


def status_of(error: Exception) -> grpc.Status:
    """Return what a call answers that met this error. What nobody foresaw is logged, and answered as INTERNAL."""
    answer = problem_from_exception(error, {})
    told = json.loads(answer.content)
    rich = status_pb2.Status(code=STATUS[told["status"]].value[0], message=told["detail"])
    for detail in _details(told, answer):
        rich.details.add().Pack(detail)
    return rpc_status.to_status(rich)


def _details(told: dict[str, Any], answer: HttpResponse) -> Iterator[Message]:
    """Yield the rich details. ErrorInfo wants its reason in capitals; as the API writes it, it is in the metadata."""
    known = {"code": told["code"], "request_id": told["request_id"]}
    yield error_details_pb2.ErrorInfo(reason=told["code"].upper(), domain=DOMAIN, metadata=known)
    if "errors" in told:
        bad_request = error_details_pb2.BadRequest()
        for error in told["errors"][:MOST_TOLD]:
            bad_request.field_violations.add(field=_path(error["pointer"]), description=error["detail"])
        yield bad_request
    if "Retry-After" in answer:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(int(answer["Retry-After"]))
        yield retry


def _path(pointer: str) -> str:
    """Return a JSON pointer as the path of a field: user_ids[3] for /user_ids/3."""
    return re.sub(r"/(\d+)", r"[\1]", pointer).lstrip("/").replace("/", ".")
