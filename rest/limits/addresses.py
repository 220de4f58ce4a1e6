"""Where a request comes from."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"  # a request by a Unix socket, or a proxy that says nothing: all of them are counted as one


def client_address(request: HttpRequest) -> str:
    """Return whom to count the request for: the nearest address that is no trusted proxy's.

    Of IPv6 the network of 64 bits counts, since whoever has one has all of it.
    """
    nearest = _nearest(request)
    if nearest is None:
        return UNKNOWN
    return _network_of(nearest, 64) if isinstance(nearest, IPv6Address) else str(nearest)


def client_network(request: HttpRequest) -> str | None:
    """Return the network of 48 bits that the request comes from, which may be one customer's; None for IPv4."""
    nearest = _nearest(request)
    return _network_of(nearest, 48) if isinstance(nearest, IPv6Address) else None


def _network_of(address: IPv6Address, bits: int) -> str:
    return str(IPv6Network((address, bits), strict=False))


def _nearest(request: HttpRequest) -> Address | None:
    """Return the nearest address that is no trusted proxy's.

    X-Forwarded-For is read from the right, where the nearest proxy writes: what stands left of the first address that
    we do not trust may be made up.
    """
    nearest = _parse(request.META.get("REMOTE_ADDR", ""))
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while nearest and hops and any(nearest in network for network in settings.TRUSTED_PROXIES):
        hop = _parse(hops.pop())
        if hop is None:
            break
        nearest = hop
    return nearest


def _parse(text: str) -> Address | None:
    """Read an address, some proxies' `address:port` and `[address]:port` too; None where it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
