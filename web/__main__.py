"""`python -m web --host 127.0.0.1 --port 8000`: serve the API, the admin and all other pages."""

import argparse
import os

from web.server import serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m web", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=8000, type=int, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--linger",
        default=float(os.environ.get("WEB_LINGER") or 0),
        type=float,
        help="seconds to serve on after SIGTERM, while /health/ready says that it ends (default: WEB_LINGER, or 0)",
    )
    options = parser.parse_args()
    serve(options.host, options.port, options.linger)
