"""Makes the secrets that are missing in a folder, once, each in a file of its own. Those that are there stay.

Run as root, so that each file can be given to the one who reads it: the application, Redis, or PostgreSQL's start.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

# User ids: of the Dockerfile; of `migrate` and `redis` in docker-compose.yml; of PostgreSQL's image, at its start and
# afterwards.
APPLICATION, MIGRATE, REDIS, ROOT, POSTGRES = 10001, 10002, 999, 0, 999
BROUGHT = ("EMAIL_URL", "LIMITS_URL", "DATABASE_REPLICA_URL", "REPORTS_STORAGE_URL", "FLOWER_BROKER_API")
READERS = {
    "postgres-password": ROOT,
    "app-password": POSTGRES,
    "DATABASE_OWNER_URL": MIGRATE,
    "redis.conf": REDIS,
    "DATABASE_URL": APPLICATION,
    "BROKER_URL": APPLICATION,
    "SECRET_KEY": APPLICATION,
    "FLOWER_BASIC_AUTH": APPLICATION,
    "GRPC_SERVICE_TOKENS": APPLICATION,
    "grpc.crt": APPLICATION,
    "grpc.key": APPLICATION,
    # Never made, but perhaps brought.
    **dict.fromkeys(BROUGHT, APPLICATION),
}


def main(folder: Path) -> None:
    """Make what is missing, and see to it that each file can be read by its reader only."""
    os.umask(0o077)
    password = fill(folder / "postgres-password", secrets.token_hex(24))
    app_password = fill(folder / "app-password", secrets.token_hex(24))
    # A DATABASE_URL that is there was brought, or is from before the processes had a role of their own: it migrates
    # too.
    owner, url = folder / "DATABASE_OWNER_URL", folder / "DATABASE_URL"
    of_owner = f"postgres://ordersite:{password}@postgres:5432/ordersite"
    fill(owner, url.read_text().strip() if url.exists() else of_owner)
    fill(url, f"postgres://ordersite_app:{app_password}@postgres:5432/ordersite")
    redis_conf = fill(folder / "redis.conf", f"requirepass {secrets.token_hex(24)}")
    fill(folder / "BROKER_URL", f"redis://:{redis_conf.removeprefix('requirepass ')}@redis:6379/0")
    fill(folder / "SECRET_KEY", secrets.token_urlsafe(50))
    fill(folder / "FLOWER_BASIC_AUTH", f"flower:{secrets.token_urlsafe(18)}")
    fill(folder / "GRPC_SERVICE_TOKENS", secrets.token_urlsafe(32))
    make_certificate(folder / "grpc.crt", folder / "grpc.key")
    for name, reader in READERS.items():
        if (folder / name).exists():
            shared = reader == APPLICATION  # with `migrate`, which is of that group
            (folder / name).chmod(0o440 if shared else 0o400)
            os.chown(folder / name, reader, APPLICATION if shared else -1)
    folder.chmod(0o711)


def make_certificate(certificate: Path, key: Path) -> None:
    """Make a key and a certificate by itself, for the names under which containers, and its own check, call gRPC."""
    if certificate.exists() and key.exists():
        return
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "3650"]
    names = ["-subj", "/CN=grpc", "-addext", "subjectAltName=DNS:grpc,DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True)  # noqa: S603, S607 - of the image
    sys.stdout.write(f"made {certificate} and {key}\n")


def fill(path: Path, text: str) -> str:
    """Write this text where there is no such file, and return what it holds."""
    if not path.exists():
        new = path.with_name(path.name + ".new")
        new.write_text(text + "\n")
        new.replace(path)  # whole or not at all
        sys.stdout.write(f"made {path}\n")
    return path.read_text().strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
