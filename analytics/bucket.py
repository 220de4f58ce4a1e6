"""A bucket of Amazon S3, or of a service that speaks its protocol, as Django's storage. Needs requirements-s3.txt."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from pybreaker import CircuitBreaker, CircuitBreakerError
from storages.backends.s3 import S3Storage

from events.errors import DependencyAway

# Seconds to connect, and to wait for each piece of an answer; one try. A download holds a thread of the web meanwhile.
CONNECT, ANSWER, TRIES = 2, 5, 1
NOT_FOUND = 404
LEFT_ALONE = 10  # seconds, after a failure: else a bucket that says nothing would take all threads from the orders

breaker = CircuitBreaker(
    fail_max=1, reset_timeout=LEFT_ALONE, exclude=[FileNotFoundError], throw_new_error_on_trip=False
)


class BucketAway(DependencyAway):
    """The bucket cannot be reached, or refuses us."""


class Bucket(S3Storage):  # type: ignore[misc]  # it has no types
    """All of its methods raise BucketAway, and FileNotFoundError."""

    def get_default_settings(self) -> dict[str, Any]:
        retries = {"mode": "standard", "total_max_attempts": TRIES}
        # Checksums in a trailer, boto3's own choice, are refused by many services beside Amazon's.
        checksums = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
        config = Config(connect_timeout=CONNECT, read_timeout=ANSWER, retries=retries, **checksums)
        return {**super().get_default_settings(), "client_config": config}

    def read_from(self, name: str, first: int) -> BinaryIO:
        """Open a file to be read from its byte `first` on, as it arrives."""
        with _errors_told():
            answer = self.bucket.Object(posixpath.join(self.location, name)).get(Range=f"bytes={first}-")
        return cast(BinaryIO, answer["Body"])

    def _save(self, name: str, content: "File[bytes]") -> str:
        with _errors_told():
            return str(super()._save(name, content))

    def delete(self, name: str) -> None:
        with _errors_told():
            super().delete(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _errors_told():
            return cast("tuple[list[str], list[str]]", super().listdir(path))


@contextmanager
def _errors_told() -> Iterator[None]:
    try:
        with breaker.calling(), _as_ours():
            yield
    except CircuitBreakerError as error:
        raise BucketAway(f"the bucket of the reports has just failed: it is left alone for {LEFT_ALONE} s") from error


@contextmanager
def _as_ours() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == NOT_FOUND and "NoSuchBucket" not in str(error):
            raise FileNotFoundError(str(error)) from error
        raise BucketAway(f"the bucket of the reports refuses: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise BucketAway(f"the bucket of the reports cannot be used: {error}") from error
