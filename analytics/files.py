"""The files of reports, in the storage `reports`: a folder that web and workers have in common, or a bucket (S3)."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, TextIO, cast
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, storages

from rest.byte_ranges import Readable

if TYPE_CHECKING:
    from analytics.bucket import Bucket  # whose packages not every site has


def name_of(report_id: UUID, turn: UUID) -> str:
    """Return the name of what a turn writes. Each has one of its own, so that two cannot mix."""
    return f"{report_id}.{turn}.csv"


def create(name: str) -> TextIO:
    """Open a new file, which only our processes may read. Raises OSError.

    For a bucket it has no name yet, lies in REPORTS_DIR, and is gone once it is closed, or its process killed.
    """
    storage = _storage()
    folder = Path(storage.location if isinstance(storage, FileSystemStorage) else settings.REPORTS_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not isinstance(storage, FileSystemStorage):
        return TemporaryFile("w+", dir=folder, encoding="utf-8", newline="")
    path = storage.path(name)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")


def keep(file: TextIO, name: str) -> int:
    """Have the disk, or the bucket, keep all of a file that create() opened; return its size in bytes.

    Raises OSError where there is no room, and what the bucket raises.
    """
    file.flush()
    storage = _storage()
    if isinstance(storage, FileSystemStorage):
        os.fsync(file.fileno())
    else:
        storage.save(name, File(file.buffer))
    return os.fstat(file.fileno()).st_size


def read(name: str, first: int = 0) -> Readable:
    """Open a file to be sent from its byte `first` on. Raises FileNotFoundError, and what the bucket raises."""
    storage = _storage()
    if isinstance(storage, FileSystemStorage):
        file = storage.open(name, "rb")
        file.seek(first)
        return file
    return storage.read_from(name, first)


def remove(name: str) -> None:
    """Delete a file; one that is gone, or is no file at all (""), is fine. Who reads it just now reads on."""
    if name:
        _storage().delete(name)


def abandon(name: str) -> None:
    """Delete what create() made and keep() did not end. In a bucket there is nothing of it."""
    if isinstance(_storage(), FileSystemStorage):
        remove(name)


def names() -> list[str]:
    try:
        return _storage().listdir("")[1]
    except FileNotFoundError:
        return []


def _storage() -> "FileSystemStorage | Bucket":
    return cast("FileSystemStorage | Bucket", storages["reports"])
