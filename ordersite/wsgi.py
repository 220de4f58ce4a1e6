"""The web process's entry point."""

import os
import tempfile
from pathlib import Path


def shared_folder() -> str:
    """Make and return the folder in which the processes of one server, children of one parent, count together."""
    folder = Path(tempfile.gettempdir()) / f"ordersite-metrics-{os.getuid()}-{os.getppid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ordersite.settings")
os.environ.setdefault("PROCESS_KIND", "web")
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # prometheus_client reads it once, when it is imported
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared_folder()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - what it loads reads the variables above

from ordersite import tracing  # noqa: E402
from ordersite.api.wsgi import Readable  # noqa: E402

tracing.set_up()  # before the middleware is made; the server has forked by now
application = Readable(get_wsgi_application())
