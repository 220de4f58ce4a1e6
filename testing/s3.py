"""A server that answers as Amazon's S3 does, with a bucket for the reports' files."""

import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

from local.servers import Server
from local.settings import free_port
from local.supervisor import Supervisor

BUCKET, PREFIX = "files", "of/reports"
KEY, SECRET = "AKIAEXAMPLE", "a+secret/with=signs"
REGION = "eu-central-1"


class S3:
    """The server, which forgets all once it is stopped, and what is in its bucket."""

    def __init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self._supervisor = Supervisor(log=lambda name, line: None)
        port = self.endpoint.rpartition(":")[2]
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
        self.server = Server(self._supervisor.add("s3", argv), self._answers)
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    @property
    def storage_url(self) -> str:
        """REPORTS_STORAGE_URL."""
        login = f"{KEY}:a%2Bsecret%2Fwith%3Dsigns"
        return f"s3://{login}@{BUCKET}/{PREFIX}?region={REGION}&endpoint={self.endpoint}"

    def start(self) -> None:
        self.server.start()
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def objects(self) -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server takes connections, and answers nothing, until the block ends."""
        pid = self.server.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        self._supervisor.stop()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.endpoint}/moto-api/", timeout=1).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


@contextmanager
def run_s3() -> Iterator[S3]:
    s3 = S3()
    try:
        s3.start()
        yield s3
    finally:
        s3.stop()
