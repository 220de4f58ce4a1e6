"""The API's contract, and docs/errors.md, the page on its errors."""

from pathlib import Path

import yaml

from rest.openapi.described import all_codes
from rest.openapi.document import document
from rest.openapi.text import to_yaml
from tools.contracts.breaks import breaks
from tools.contracts.contract import Contract

ERRORS_HEAD = """\
# Errors

<!-- Written by `make contracts` from rest/codes.py and the openapi.py of each app. -->

Every error is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), with these fields:

| field | what it is |
| --- | --- |
| `type` | a page on this kind of error: `/api/docs/problems/CODE` |
| `title`, `status` | the HTTP status, in words and as a number |
| `detail` | what went wrong this time, for people; its words may change |
| `code` | what kind of error it is, for programs; it never changes its meaning |
| `request_id` | the id of the request, as in the `X-Request-ID` header; give it when you report something |
| `errors` | with `invalid_input`, what is wrong (`detail`), and where (`pointer`) |

A pointer is a JSON pointer into the body ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)), or `/` and the name of
a query parameter or a header.

Decide by `code`. Treat one that you do not know by its status: new ones may come with any release.
Over gRPC the same codes stand in the details of a call's status: [grpc.md](grpc.md#errors).

| code | status | what it means | what to do |
| --- | --- | --- | --- |
"""


def errors_page() -> str:
    """Return docs/errors.md, from the codes of all apps."""
    return ERRORS_HEAD + "".join(
        f"| `{code.name}` | {code.status} | {code.meaning} | {code.remedy} |\n" for code in all_codes().values()
    )


def text() -> str:
    return to_yaml(document())


CONTRACT = Contract(
    name="openapi",
    suffix=".yaml",
    made=lambda: {Path("contracts/openapi.yaml"): text(), Path("docs/errors.md"): errors_page()},
    text=text,
    breaks=lambda released: breaks(yaml.safe_load(released), document()),
)
