"""Whether an address is this machine's own: beyond it, everything goes over TLS."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Tell whether an address, or a name, is this machine's own."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
