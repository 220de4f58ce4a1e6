"""In containers one role of PostgreSQL owns the tables and migrates, and the processes sign in as a lesser one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from local.postgres import binary
from local.servers import start_servers
from ordersite.tests.test_docker_files import SERVICES
from testing import ROOT
from testing.processes import COMPLETE, run_python

FOLDER = "deploy/docker"
ROLE, APP_ROLE, ROLE_OF_OLD_VOLUME = (f"{FOLDER}/{name}.sql" for name in ("role", "app_role", "role_of_old_volume"))
OBJECTS = """
CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, old serial);
CREATE SEQUENCE s;
CREATE VIEW v AS SELECT * FROM a;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
"""
OF_ANOTHER = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> 'ordersite'::regrole
UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner <> 'ordersite'::regrole
"""


class Server:
    """An embedded PostgreSQL; its superuser is `ordersite`, as on volumes that were made before there was a role."""

    def __init__(self, url: str) -> None:
        self.folder = parse_qs(urlsplit(url).query)["host"][0]
        self.url = url

    def connect(self, role: str, database: str = "ordersite") -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=self.folder, port=5432, user=role, dbname=database, autocommit=True)

    def run(self, file: str, role: str, database: str) -> None:
        """Run a file as `docker compose exec` and the image's entrypoint do."""
        password = Path(self.folder, "app-password")
        password.write_text("its own")
        options = ["-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-q", "-h", self.folder, "-p", "5432"]
        subprocess.run(
            [binary("psql"), *options, "-U", role, "-d", database, "-f", str(ROOT / file)],
            env={"POSTGRES_PASSWORD": "it's", "APP_PASSWORD_FILE": str(password), "PATH": os.environ["PATH"]},
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="ordersite-test-"))
    with start_servers(folder, log=lambda *_: None, variables=["DATABASE_URL"]) as servers:
        yield Server(servers.database_url)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def old_volume(server: Server) -> str:
    """A volume with tables of the superuser's, after the file has run; returns the password's hash from before."""
    with server.connect("ordersite") as superuser:
        superuser.execute("ALTER ROLE ordersite PASSWORD 'brought'")
        superuser.execute(OBJECTS)
        (password,) = superuser.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'ordersite'").fetchall()
    server.run(ROLE_OF_OLD_VOLUME, "ordersite", "ordersite")
    server.run(APP_ROLE, "postgres", "postgres")
    return str(password[0])


@pytest.fixture(scope="module")
def new_volume(server: Server, old_volume: str) -> None:
    """A server with nothing but its superuser, after the image has run the file."""
    with server.connect("postgres", "postgres") as superuser:
        superuser.execute("DROP DATABASE ordersite")
        superuser.execute("DROP ROLE ordersite")
        superuser.execute("DROP ROLE ordersite_app")
        superuser.execute("ALTER ROLE postgres PASSWORD 'of-the-start'")
    server.run(ROLE, "postgres", "postgres")
    server.run(APP_ROLE, "postgres", "postgres")


def check_role(server: Server) -> None:
    """The role can do nothing but sign in and read the activity of others, and the superuser has no password."""
    with server.connect("postgres", "postgres") as superuser:
        roles = superuser.execute(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolpassword IS NULL FROM pg_authid WHERE rolcanlogin"
        ).fetchall()
        superuser.execute("BEGIN")
        for role in ("ordersite", "ordersite_app"):
            with server.connect(role) as ordinary:
                seen = "SELECT count(xact_start) FROM pg_stat_activity WHERE usename = 'postgres'"
                assert ordinary.execute(seen).fetchall() == [(1,)]
    ordinary_roles = [(role, False, False, False, False) for role in ("ordersite", "ordersite_app")]
    assert sorted(roles) == [*ordinary_roles, ("postgres", True, True, True, True)]


def test_on_an_old_volume_an_ordinary_role_owns_everything(server: Server, old_volume: str) -> None:
    check_role(server)
    with server.connect("ordersite") as ordinary:
        assert ordinary.execute(OF_ANOTHER).fetchall() == []
        ordinary.execute("DROP VIEW v; DROP TABLE a; DROP SEQUENCE s; DROP FUNCTION f()")
        ordinary.execute("CREATE TABLE b (id int)")
    with server.connect("postgres") as superuser:
        kept = superuser.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'ordersite'").fetchall()
    assert kept == [(old_volume,)]


@pytest.fixture(scope="module")
def migrated(server: Server, new_volume: None) -> None:
    done = run_python("manage.py", "migrate", "--noinput", **(COMPLETE | {"DATABASE_URL": server.url}))
    assert done.returncode == 0, done.stderr


def test_on_a_new_volume_an_ordinary_role_migrates(server: Server, migrated: None) -> None:
    check_role(server)
    with server.connect("ordersite") as ordinary:
        assert ordinary.execute("SELECT count(*) > 20 FROM django_migrations").fetchall() == [(True,)]
        assert ordinary.execute(OF_ANOTHER).fetchall() == []


def test_the_role_of_the_processes_writes_rows_and_changes_no_table(server: Server, migrated: None) -> None:
    url = server.url.replace("//ordersite@", "//ordersite_app@")
    done = run_python("manage.py", "load_demo", "--yes-on-a-real-database", **(COMPLETE | {"DATABASE_URL": url}))
    assert done.returncode == 0, done.stderr
    with server.connect("ordersite_app") as ordinary:
        assert ordinary.execute("SELECT count(*) > 5 FROM orders_order").fetchall() == [(True,)]
        assert ordinary.execute("SELECT system_identifier > 0 FROM pg_control_system()").fetchall() == [(True,)]
        for statement in (
            "DROP TABLE orders_order",
            "ALTER TABLE orders_order ADD mine int",
            "CREATE TABLE mine (id int)",
            "TRUNCATE orders_order CASCADE",
            "CREATE TRIGGER mine BEFORE INSERT ON orders_order EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "COPY orders_order TO PROGRAM 'cat'",
            "SET ROLE ordersite",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ordinary.execute(statement)


def test_compose_runs_the_files_and_signs_in_as_those_roles() -> None:
    postgres = SERVICES["postgres"]
    assert f"./{ROLE}:/docker-entrypoint-initdb.d/1-role.sql:ro" in postgres["volumes"]
    assert f"./{APP_ROLE}:/docker-entrypoint-initdb.d/2-app_role.sql:ro" in postgres["volumes"]
    assert postgres["environment"]["POSTGRES_USER"] == "postgres"
    assert "POSTGRES_DB" not in postgres["environment"]  # the file makes it, for its owner
