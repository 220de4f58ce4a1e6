"""What `make run` prints once it is ready: where to look, whom to be, and what to paste."""

import json
import shlex

from .settings import Settings

DEMO_SKU = "TEA-SENCHA-100"  # a product of the demo catalogue


def banner(settings: Settings, *, flower_auth: str, grpc_token: str) -> str:
    """Return the text; the curl lines can be pasted in one go into bash and zsh."""
    web = f"http://127.0.0.1:{settings.web_port}"
    return f"""
ordersite is ready. Ctrl-C stops it; the next `make run` goes on with the same data.

  API     {web}/api/v1/products
  Admin   {web}/admin/  sign in: admin@example.com / {settings.demo_password}
  Flower  http://127.0.0.1:{settings.flower_port}/  sign in: {flower_auth.replace(":", " / ", 1)}
  gRPC    127.0.0.1:{settings.grpc_port}  authorization: Bearer {grpc_token}

Paste this to place an order as a customer (ada@example.com / {settings.demo_password}):

{curl(web, settings.demo_password)}

"""


def curl(web: str, password: str) -> str:
    """Return the shell lines that sign in and place an order, with curl and sed alone."""
    credentials = shlex.quote(json.dumps({"email": "ada@example.com", "password": password}))
    order = shlex.quote(json.dumps({"items": [{"sku": DEMO_SKU, "quantity": 1}]}))
    is_json = "-H 'Content-Type: application/json'"
    return rf"""TOKEN=$(curl -sS {web}/api/v1/auth/token {is_json} \
  -d {credentials} | sed 's/.*"token": *"\([^"]*\)".*/\1/')
curl -sS {web}/api/v1/orders -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: demo-$(date +%s)" \
  {is_json} -d {order}"""
