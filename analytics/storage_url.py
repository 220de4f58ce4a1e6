"""What REPORTS_STORAGE_URL says, as an entry of Django's STORAGES."""

from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

PARAMETERS = ("region", "endpoint")
SCHEME = "s3"


def read_storage_url(url: str) -> dict[str, Any]:
    """Return the storage of s3://KEY:SECRET@BUCKET/PREFIX?region=REGION&endpoint=URL, as STORAGES has it.

    Without KEY and SECRET boto3 finds them: in AWS's variables and files, or by the role of the machine or pod.
    Raises ValueError where the URL is not understood. Its text follows the setting's name, and holds no secret.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("cannot be read: percent-encode the key and the secret") from None
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme != SCHEME or not parts.hostname:
        raise ValueError("is to be like s3://BUCKET/PREFIX?region=REGION (docs/reports.md)")
    if unknown := parameters.keys() - set(PARAMETERS):
        raise ValueError(f"has {', '.join(sorted(unknown))}, where only {' and '.join(PARAMETERS)} may stand")
    if (endpoint := parameters.get("endpoint")) and not endpoint.startswith(("http://", "https://")):
        raise ValueError("has an endpoint that is no http:// or https:// URL")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("has a key without a secret: s3://KEY:SECRET@BUCKET")
    if not find_spec("storages") or not find_spec("boto3"):
        raise ValueError("needs packages that are not installed: pip install -r requirements-s3.lock")
    options = {
        "bucket_name": parts.netloc.rpartition("@")[2],
        "location": parts.path.strip("/"),
        "region_name": parameters.get("region"),
        "endpoint_url": endpoint,
        "access_key": unquote(parts.username) if parts.username else None,
        "secret_key": unquote(parts.password) if parts.password else None,
    }
    return {"BACKEND": "analytics.bucket.Bucket", "OPTIONS": {name: value for name, value in options.items() if value}}
