"""`make mutants`: put small faults into the code, one at a time, and see whether a test fails. MODULE chooses files.

It works on a copy of the checkout, with servers of its own and a fresh database for each fault. Exits with 1 where a
fault survives that is not known to change nothing (equivalent.txt).
"""

import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import use_mutation
from cosmic_ray.work_item import MutationSpec

from local.servers import start_servers
from testing import ROOT
from testing.processes import HIGH_LIMITS, SECRET_KEY
from tests.mutants.forked import Runner, runner
from tests.mutants.modules import MODULES
from tests.mutants.operators import Provider

plugins.OPERATOR_PROVIDERS["ours"] = Provider()
CORE = (
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul")),
    *("AddNot", "ReplaceUnaryOperator_Delete_Not", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "NumberReplacer"),
    *("RemoveDecorator", "ExceptionReplacer", "ZeroIterationForLoop"),
)
OPERATORS = (*(f"ours/{name}" for name in Provider()), *(f"core/{name}" for name in CORE))
# Where a fault says nothing: logs, points at which tests let it fail, limits that were chosen, the star of a signature.
SKIPPED = re.compile(r"\s*(logger\.|failpoint\(|@dataclass|[A-Z_]+ = [\d_.]+($|\s))|.*[( ]\*,")

PYTEST = ("-x", "--ff", "-q", "--reuse-db", "--no-header", "--tb=short")
SLOWER = 3  # how many times as long as without a fault the tests may take; then one has made them hang
LEAST = 20.0  # seconds that they may take in any case
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
OUTCOMES = ("killed", "survived", "equivalent", "untested")


@dataclass(frozen=True)
class Result:
    """What became of one fault."""

    module: str
    outcome: str  # killed, survived, equivalent; untested: the tests fail without a fault
    where: str
    diff: str


def main(chosen: Sequence[str]) -> int:
    """Run it; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it, too, ends what was started
    if not MODULES.keys() >= set(chosen):
        print(f"MODULE names one or more of: {', '.join(MODULES)}", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="ordersite-mutants-"))
    folder.chmod(0o755)  # PostgreSQL's user passes through
    results: list[Result] = []
    try:
        copy_checkout(folder / "checkout")
        with start_servers(folder, log=lambda name, line: None) as servers:
            prepare(folder, servers.urls)
            with runner(Path.cwd()) as tests:
                for module in chosen or MODULES:
                    results.extend(survey(module, tests, servers.database_url))
    except KeyboardInterrupt:
        print("interrupted; so far:")
    finally:
        os.chdir(ROOT)
        shutil.rmtree(folder, ignore_errors=True)
    return summarize(results)


def copy_checkout(target: Path) -> None:
    """Copy the files of the checkout as they are now, without what Git ignores."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def prepare(folder: Path, urls: dict[str, str]) -> None:
    """Go into the copy, and make the database of which each run of tests gets a copy."""
    os.chdir(folder / "checkout")
    os.environ.update(urls | HIGH_LIMITS | {"SECRET_KEY": SECRET_KEY, "TMPDIR": str(folder)})
    subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], check=True)
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as server:
        server.execute("ALTER SYSTEM SET fsync = off")  # nothing here outlives a crash, and it halves the time
        server.execute("SELECT pg_reload_conf()")
        server.execute("CREATE DATABASE pristine TEMPLATE ordersite")


def survey(module: str, tests: Runner, database_url: str) -> Iterator[Result]:
    """Put each fault into this module and yield what became of it; none where a test fails without any."""
    arguments = [*PYTEST, *MODULES[module]]
    took = 0.0
    for _ in range(2):  # the first compiles everything
        renew_database(database_url)
        began = time.monotonic()
        if not tests.passes(arguments, seconds=600):
            print(f"{Path('output.txt').read_text()}\n{module}: its tests fail without a fault")
            yield Result(module, "untested", "", "")
            return
        took = time.monotonic() - began
    faults = list(faults_of(Path(module)))
    print(f"{module}: {len(faults)} faults; without one its tests take {took:.0f} s", flush=True)
    for number, fault in enumerate(faults, 1):
        began = time.monotonic()
        renew_database(database_url)
        result = commit(fault, number, tests, arguments, seconds=max(LEAST, took * SLOWER))
        seconds = time.monotonic() - began
        print(f"{number}/{len(faults)} {result.outcome} {seconds:.1f} s  {result.where}", flush=True)
        yield result


def commit(fault: MutationSpec, number: int, tests: Runner, arguments: Sequence[str], *, seconds: float) -> Result:
    """Put this fault in, run the tests, and take it out again."""
    where = f"{fault.module_path}:{fault.start_pos[0]} {fault.operator_name} {fault.occurrence}"
    with use_mutation(fault.module_path, plugins.get_operator(fault.operator_name)(), fault.occurrence) as codes:
        os.utime(fault.module_path, (number, number))  # Python tells a stale .pyc by the seconds of this time
        passed = tests.passes(arguments, seconds=seconds)
    before, after = (code.split("\n") for code in codes)
    diff = [line for line in difflib.unified_diff(before, after, lineterm="", n=1) if line[:3] not in ("---", "+++")]
    survived = "equivalent" if changed(diff) in equivalent() else "survived"
    return Result(str(fault.module_path), survived if passed else "killed", where, "\n".join(diff))


def faults_of(module: Path) -> Iterator[MutationSpec]:
    """Yield the faults that can be put into a module."""
    lines, nodes = module.read_text().split("\n"), list(ast_nodes(get_ast_from_path(module)))
    for name in OPERATORS:
        operator = plugins.get_operator(name)()
        positions = [position for node in nodes for position in operator.mutation_positions(node)]
        for occurrence, (start, end) in enumerate(positions):
            if not SKIPPED.match(lines[start[0] - 1]):
                yield MutationSpec(module, name, occurrence, start, end)


def renew_database(database_url: str) -> None:
    """Make the database of the tests anew: a run that was killed leaves rows, and locks."""
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS test_ordersite WITH (FORCE)")
        server.execute("CREATE DATABASE test_ordersite TEMPLATE pristine")


def equivalent() -> set[str]:
    """Return the faults that are known to change nothing, as changed() names them."""
    return {changed(paragraph.split("\n")) for paragraph in EQUIVALENT.read_text().split("\n\n")}


def changed(diff: Sequence[str]) -> str:
    """Return the lines that a fault changes, without their indentation: what a known one is recognised by."""
    return "\n".join(line[0] + line[1:].strip() for line in diff if line[:1] in ("-", "+"))


def summarize(results: list[Result]) -> int:
    """Print the faults that survived, and a line for each module; return the exit code."""
    survivors = [result for result in results if result.outcome == "survived"]
    print("\n".join(f"\nSURVIVED {result.where}\n{result.diff}" for result in survivors))
    for module in dict.fromkeys(result.module for result in results):
        counts = Counter(result.outcome for result in results if result.module == module)
        told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
        print(f"{module}: {counts.total()} faults, {told}")
    return 0 if all(result.outcome in ("killed", "equivalent") for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(os.environ.get("MODULE", "").split()))
