"""The web process's entry point."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

NAME = f"ordersite-metrics-{os.getuid()}-"


def shared_folder() -> str:
    """Make and return the folder in which the processes of one server, children of one parent, count together.

    Those of servers that are gone are removed. Ends the process where somebody else has made ours.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{NAME}*"):
        if not Path(f"/proc/{left.name.removeprefix(NAME)}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{NAME}{os.getppid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SystemExit(f"ordersite: {folder} is not ours. Remove it, or set PROMETHEUS_MULTIPROC_DIR to a folder.")
    return str(folder)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
os.environ.setdefault("PROCESS_KIND", "web")
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # prometheus_client reads it once, when it is imported
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared_folder()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - what it loads reads the variables above

from rest.wsgi import Readable  # noqa: E402
from telemetry import tracing  # noqa: E402

tracing.set_up()  # before the middleware is made; the server has forked by now
application = Readable(get_wsgi_application())
