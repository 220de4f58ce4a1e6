"""HAProxy as Debian packages it."""

import shutil
from pathlib import Path

HAPROXY = shutil.which("haproxy") or (Path("/usr/sbin/haproxy").exists() and "/usr/sbin/haproxy")
HAPROXY_MISSING = "haproxy is not installed: apt-get install haproxy"
