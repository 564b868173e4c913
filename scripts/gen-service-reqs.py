"""Writes each service's `requirements.txt`: `python scripts/gen-service-reqs.py`.

The packages that a service imports, found by pipreqs, spelled as `pyproject.toml` has them. A
service needs what `libs` needs (the project's own dependencies) and what it imports besides.
pipreqs only scans here: which package an import belongs to, the installed ones say, so nothing is
looked up on the internet. Names only: the versions come from requirements.lock.
"""

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

import argparse
import re
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from pipreqs import pipreqs

from scripts.console import GREEN, YELLOW, Console, ScriptError, run_script
from scripts.stacks import REPO

LOCAL = {"libs", "app"}
# What is used without an import of its own.
USED_BY_NAME = {
    r"\bEmailStr\b|\bvalidate_email\b": "email-validator",
    r"\bOAuth2PasswordRequestForm\b|\bForm\(|\bUploadFile\b": "python-multipart",
}


def main(console: Console) -> int:
    asked = _parser().parse_args()
    stale = []
    for service in sorted(app.parent for app in (REPO / "services").glob("*/app")):
        path = service / "requirements.txt"
        wanted = "".join(f"{line}\n" for line in requirements(service))
        if path.exists() and path.read_text(encoding="utf-8") == wanted:
            console.show(f"  {service.name:14} {console.paint('as it should be', GREEN)}")
            continue
        stale.append(service.name)
        if not asked.check:
            path.write_text(wanted, encoding="utf-8")
        done = "would change" if asked.check else "written"
        console.show(f"  {service.name:14} {console.paint(done, YELLOW)}")
    if stale and asked.check:
        raise ScriptError("Out of date; run python scripts/gen-service-reqs.py")
    return 0


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="gen-service-reqs.py",
        description="Write services/*/requirements.txt from what the code imports.",
    )
    root.add_argument(
        "--check", action="store_true", help="write nothing; fail if one would change"
    )
    return root


def requirements(service: Path) -> list[str]:
    """The lines of a service's requirements.txt."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shared = project["dependencies"]
    known = {_name(line): line for line in [*shared, *project["optional-dependencies"]["services"]]}
    used = _imported(service) | _used_by_name(service)
    lines = {*shared, *(known[name] for name in used & known.keys())}
    if unknown := used - known.keys() - _brought_along(lines):
        raise ScriptError(
            f"{service.name} uses {', '.join(sorted(unknown))}: "
            "add it to the `services` requirements in pyproject.toml and to the lock"
        )
    return sorted(lines, key=str.lower)


def _brought_along(lines: set[str]) -> set[str]:
    """What the packages themselves need, such as botocore by boto3."""
    found: set[str] = set()
    waiting = [_name(line) for line in lines]
    while waiting:
        with suppress(PackageNotFoundError):  # an extra's, or another platform's
            needed = {_name(line) for line in requires(waiting.pop()) or []}
            waiting += needed - found
            found |= needed
    return found


def _imported(service: Path) -> set[str]:
    distributions = packages_distributions()
    modules = set(pipreqs.get_all_imports(str(service))) - LOCAL
    if missing := [module for module in modules if module not in distributions]:
        raise ScriptError(f"{service.name} imports {', '.join(missing)}, which is not installed")
    names = {_name(distributions[module][0]) for module in modules}
    return {name for name in names if not name.startswith("types-")}  # for mypy alone


def _used_by_name(service: Path) -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in service.glob("app/**/*.py")]
    code = "\n".join(sources)
    return {name for pattern, name in USED_BY_NAME.items() if re.search(pattern, code)}


def _name(requirement: str) -> str:
    """The normalised name of the package in a requirement."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


if __name__ == "__main__":
    sys.exit(run_script(main))
