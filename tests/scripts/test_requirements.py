from pathlib import Path

from .conftest import Run


def test_the_requirements_of_all_services_are_what_they_import(run: Run) -> None:
    done = run("gen-service-reqs.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_import_makes_the_check_fail_until_they_are_written(run: Run, clone: Path) -> None:
    module = clone / "services" / "payment" / "app" / "more.py"
    module.write_text("import boto3\n")
    assert run("gen-service-reqs.py", "--check", repo=clone).returncode == 1
    assert run("gen-service-reqs.py", repo=clone).returncode == 0
    assert run("gen-service-reqs.py", "--check", repo=clone).returncode == 0
    requirements = (clone / "services" / "payment" / "requirements.txt").read_text()
    assert "boto3\n" in requirements


def test_a_package_used_without_an_import_is_found(run: Run, clone: Path) -> None:
    module = clone / "services" / "payment" / "app" / "more.py"
    module.write_text("from pydantic import EmailStr\n")
    run("gen-service-reqs.py", repo=clone)
    requirements = (clone / "services" / "payment" / "requirements.txt").read_text()
    assert "email-validator\n" in requirements


def test_a_package_that_the_project_does_not_declare_is_named(run: Run, clone: Path) -> None:
    module = clone / "services" / "payment" / "app" / "more.py"
    module.write_text("import schemathesis\n")
    done = run("gen-service-reqs.py", "--check", repo=clone)
    assert done.returncode == 1
    assert "schemathesis" in done.stderr
    assert len(done.stderr.splitlines()) == 1
