from pathlib import Path

import pytest

from testing.processes import COMPLETE, run_python

READ = "import ordersite.settings as s; print("


def value(name: str, **environment: str) -> str:
    """The value of a setting in a process of this environment."""
    done = run_python("-c", f"{READ}repr({name}))", **(COMPLETE | environment))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("missing", sorted(COMPLETE))
@pytest.mark.parametrize("empty", [False, True])
def test_without_what_it_needs_the_process_ends_with_one_clear_line(missing: str, empty: bool) -> None:
    environment = COMPLETE | {missing: ""} if empty else {k: v for k, v in COMPLETE.items() if k != missing}
    done = run_python("-c", "import ordersite.settings", **environment)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"ordersite: {missing} is not set.")
    assert "make run" in line


@pytest.mark.parametrize("command", ["manage.py check", "manage.py relay", "-m celery -A ordersite report"])
def test_every_program_says_so_without_a_stack_trace(command: str) -> None:
    done = run_python(*command.split(), SECRET_KEY=COMPLETE["SECRET_KEY"])
    assert done.returncode == 1
    assert done.stderr.splitlines() == [line for line in done.stderr.splitlines() if "DATABASE_URL is not set" in line]
    assert len(done.stderr.splitlines()) == 1


def test_with_the_three_the_settings_are_complete_and_closed() -> None:
    assert value("(s.DEBUG, s.EMBEDDED)") == "(False, False)"
    assert value("(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE)") == "(True, True)"
    assert "'*'" not in value("s.ALLOWED_HOSTS")


def test_a_run_by_hand_in_debug_joins_the_servers_that_were_written_down(tmp_path: Path) -> None:
    lines = [f"{name}={text}" for name, text in COMPLETE.items()]
    (tmp_path / "environment").write_text("\n".join(lines) + "\n")
    done = run_python("-c", f"{READ}s.BROKER_URL)", DEBUG="1", DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout.strip()) == (0, COMPLETE["BROKER_URL"])
    named = run_python("-c", f"{READ}s.BROKER_URL)", DEBUG="1", DATA_DIR=str(tmp_path), BROKER_URL="redis://other/0")
    assert named.stdout.strip() == "redis://other/0"


def test_what_was_written_down_counts_in_debug_only(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("\n".join(f"{name}={text}" for name, text in COMPLETE.items()))
    done = run_python("-c", "import ordersite.settings", DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "DATABASE_URL is not set" in done.stderr


def test_only_the_web_gives_up_on_a_slow_statement_by_itself() -> None:
    options = "s.DATABASES['default']['OPTIONS']['options']"
    web, worker = value(options, PROCESS_KIND="web"), value(options, PROCESS_KIND="worker")
    assert "lock_timeout=3000" in web
    assert "statement_timeout=10000" in web
    assert "lock_timeout" not in worker


def test_a_password_with_odd_characters_reaches_the_database() -> None:
    url = "postgres://us%40er:p%2Fa%3Ass%23@db.example:6543/shop"
    fields = "[s.DATABASES['default'][k] for k in ('USER', 'PASSWORD', 'HOST', 'PORT', 'NAME')]"
    assert value(fields, DATABASE_URL=url) == "['us@er', 'p/a:ss#', 'db.example', 6543, 'shop']"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://127.0.0.1:2525", "('smtp', '127.0.0.1', 2525, False)"),
        ("smtp+tls://u:p@mail.example:587", "('smtp', 'mail.example', 587, True)"),
        ("dummymail://", "('dummy', 'localhost', 25, False)"),
    ],
)
def test_the_mail_server_comes_from_one_url(url: str, expected: str) -> None:
    read = "(s.EMAIL_BACKEND.split('.')[-2], s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS)"
    assert value(read, EMAIL_URL=url) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "json"),
        ({"DEBUG": "1"}, "text"),
        ({"EMBEDDED": "1"}, "text"),
        ({"DEBUG": "1", "LOG_FORMAT": "json"}, "json"),
    ],
)
def test_the_log_is_for_programs_unless_people_read_it(environment: dict[str, str], expected: str) -> None:
    assert value("s.LOG_FORMAT", **environment) == repr(expected)


def test_a_format_of_the_log_that_there_is_not_is_one_clear_line() -> None:
    done = run_python("-c", "import ordersite.settings", **COMPLETE, LOG_FORMAT="xml")
    assert (done.returncode, done.stderr) == (1, "ordersite: LOG_FORMAT=xml is none of json, text.\n")


def test_celery_keeps_no_promise_that_the_database_keeps() -> None:
    """Early ack, no visibility time-out, prefork: losing a message is harmless."""
    assert value("s.CELERY_WORKER_POOL") == "'prefork'"
    assert value("[n for n in dir(s) if 'ACKS_LATE' in n or 'REJECT_ON' in n]") == "[]"
    assert "visibility_timeout" not in value("s.CELERY_BROKER_TRANSPORT_OPTIONS")


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("BROKER_URL", "kafka://host", "is to begin with one of redis://, rediss://, sentinel://, amqp://, amqps://"),
        ("BROKER_URL", "sentinel://host", "names no master: add ?master_name=NAME"),
        ("LIMITS_URL", "amqp://host", "is to begin with one of redis://, rediss://, sentinel://; docs/brokers.md"),
    ],
)
def test_a_broker_that_is_not_known_is_one_clear_line(name: str, url: str, says: str) -> None:
    done = run_python("-c", "import ordersite.settings", **(COMPLETE | {name: url}))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"ordersite: {name} {says}")


def test_rate_limits_share_the_broker_where_it_is_a_redis_else_what_they_are_given() -> None:
    assert value("s.LIMITS_URL") == repr(COMPLETE["BROKER_URL"])
    rabbit = {"BROKER_URL": "amqp://user:a-password@host/shop?queue_type=quorum"}
    assert value("s.LIMITS_URL", **rabbit) == "''"
    assert value("s.LIMITS_URL", **rabbit, LIMITS_URL="redis://:other@host") == "'redis://:other@host'"
    assert value("s.CELERY_TASK_DEFAULT_QUEUE_TYPE", **rabbit) == "'quorum'"


def test_no_password_of_a_broker_may_be_written_down() -> None:
    urls = {"BROKER_URL": "sentinel://:one@a;b/0?master_name=m&sentinel_password=two", "LIMITS_URL": "redis://:three@h"}
    secrets = value("s.EVENTS['SECRETS']", **urls)
    assert all(repr(word) in secrets for word in ("one", "two", "three"))


@pytest.mark.parametrize("percent", ["0", "101", "-5"])
def test_a_pace_that_is_none_is_refused(percent: str) -> None:
    done = run_python("-c", "import ordersite.settings", **COMPLETE, REPORTS_PACE=percent)
    assert (done.returncode, done.stderr) == (1, f"ordersite: REPORTS_PACE={percent} is not within 1 and 100.\n")
