"""A broker's URL says all that is to be known of it, and what it cannot mean is refused with what to write."""

import ssl
from typing import Any

import pytest
from kombu import Connection

from events.broker import redis_client
from events.broker_url import read_broker_url


@pytest.mark.parametrize(
    "url", ["redis://:pw@host:6379/0", "rediss://host/0", "amqp://u:pw@host/vhost", "amqps://host"]
)
def test_a_plain_url_is_celerys_own(url: str) -> None:
    assert read_broker_url(url).url == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("kafka://host", "is to begin with one of redis://, rediss://, sentinel://, amqp://, amqps://"),
        ("redis", "is to begin with one of"),
        ("", "is to begin with one of"),
        ("redis://host/0?db=1", "has db behind its question mark, where nothing may stand"),
        ("amqp://host?heartbeat=1", "has heartbeat behind its question mark, where only queue_type may stand"),
        ("amqp://host?queue_type=stream", "has queue_type=stream, which is none of classic, quorum"),
        ("sentinel://host", "names no master: add ?master_name=NAME"),
        ("sentinel://?master_name=shop", "is to be like sentinel://:PASSWORD@HOST;HOST;HOST/0?master_name=NAME"),
        ("sentinel://:a@one;sentinel://:a@two?master_name=shop", "is to be like sentinel://"),
        ("sentinel://host:many?master_name=shop", "cannot be read: percent-encode"),
        ("sentinel://:a/b@host?master_name=shop", "cannot be read"),
        ("rediss://host/0?db=1", "has db behind its question mark, where only ssl_ca_certs"),
        ("rediss://host/0?ssl_cert_reqs=perhaps", "cannot be read"),
        ("redis://host/0?db=", "has db behind its question mark"),
        ("amqp://user:ab/cd@host", "cannot be read: percent-encode"),
        ("amqps://one;amqps://two", "names several addresses"),
    ],
)
def test_what_it_cannot_mean_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("?", r"\?")):
        read_broker_url(url)


def test_only_some_of_them_may_be_asked_for() -> None:
    with pytest.raises(ValueError, match="redis://; docs"):
        read_broker_url("amqp://host", ["redis"])


def test_no_part_of_a_password_is_told() -> None:
    with pytest.raises(ValueError, match="percent-encode") as raised:
        read_broker_url("rediss://:secret/word@host")
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_sentinels_are_each_an_address_of_kombu_and_the_master_is_looked_up_by_all_of_them() -> None:
    read = read_broker_url("sentinel://:p%40w@one;two:5000;three/2?master_name=shop&sentinel_password=other")
    assert read.url == ("sentinel://:p%40w@one:26379/2;sentinel://:p%40w@two:5000/2;sentinel://:p%40w@three:26379/2")
    assert read.options["master_name"] == "shop"
    assert read.options["sentinel_kwargs"]["password"] == "other"
    assert read.passwords == ("p@w", "other")
    pool: Any = redis_client(read.url, {}, read.options, 0.1).connection_pool
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == [("one", 26379), ("two", 5000), ("three", 26379)]
    assert pool.connection_kwargs["password"] == "p@w"
    assert pool.connection_kwargs["db"] == 2


def test_rabbitmqs_certificate_and_its_name_are_checked() -> None:
    read = read_broker_url("amqps://u:pw@host/shop?queue_type=quorum&ssl_ca_certs=/etc/ca.crt")
    assert read.queue_type == "quorum"
    assert read.tls == {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None, "ca_certs": "/etc/ca.crt"}
    assert Connection(read.url).virtual_host == "shop"
