"""`python scripts/test.py`."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..console import Console, ScriptError
from ..stacks import REPO, WINDOWS
from .docker import docker_stack
from .report import Report
from .static import Check, migration_checks, run_check, static_checks
from .tests import run_tests

AT_ONCE = 2
PORTS = 18000  # away from those of a stack that the user has up
EPILOG = "Other arguments are pytest's: test.py tests/order -k cancel"


def main(console: Console) -> int:
    asked, for_pytest = _parser().parse_known_args()
    report = Report(console)
    checks = static_checks()
    if asked.only or asked.fast:
        return _check_only([checks[name] for name in asked.only or checks], report)
    if asked.docker:
        return _test_on_docker(for_pytest, report)
    return _check_and_test(list(checks.values()), for_pytest, report)


def _parser() -> argparse.ArgumentParser:
    names = list(static_checks())
    root = argparse.ArgumentParser(
        prog="test.py",
        description="All checks and all tests, on a local stack of their own.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    root.add_argument(
        "--docker",
        action="store_true",
        help="the tests that can, against Docker's stack: built, brought up, and down again",
    )
    root.add_argument("--fast", action="store_true", help=f"no tests, only {', '.join(names)}")
    root.add_argument(
        "--only", action="append", choices=names, metavar="CHECK", help="no tests, only this check"
    )
    return root


def _check_only(checks: Sequence[Check], report: Report) -> int:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(run_check, checks):
            report.add(outcome)
    report.line(report.verdict())
    return 1 if report.failed else 0


def _test_on_docker(arguments: Sequence[str], report: Report) -> int:
    with docker_stack(report) as stack_file:
        code, summary = run_tests(arguments, {"STACK_JSON": str(stack_file)}, report)
    report.line(summary or f"pytest ended with code {code} and no summary")
    return code


def _check_and_test(checks: Sequence[Check], arguments: Sequence[str], report: Report) -> int:
    """Static checks run while the stack starts and, on what is left of the machine, beside the
    tests. The tests' own summary is the last line."""
    if sys.platform == "win32":
        raise ScriptError(f"{WINDOWS} The checks alone: python scripts/test.py --fast")
    from ..localstack import LocalStack, StackError

    pool = ThreadPoolExecutor(AT_ONCE)
    running = _start(checks, pool, report)
    stack = LocalStack(folder=REPO / ".local" / "test", port_base=PORTS, quiet=True)
    try:
        report.line("starting a local stack for the tests")
        info = stack.start()
        running += _start(migration_checks(info["postgres_dsn"]), pool, report)
        env = {"STACK_JSON": str(stack.folder.stack_file)}
        code, summary = run_tests(arguments, env, report)
        for future in running:
            future.result()
    except StackError as error:
        raise ScriptError(f"The tests' local stack can't start: {error}") from None
    finally:
        pool.shutdown(cancel_futures=True)
        stack.stop()
    report.line(report.verdict())
    report.line(summary or f"pytest ended with code {code} and no summary")
    return 1 if report.failed or code else 0


def _start(checks: Sequence[Check], pool: ThreadPoolExecutor, report: Report) -> list[Future[None]]:
    def run(check: Check) -> None:
        report.add(run_check(check))

    return [pool.submit(run, check) for check in checks]
