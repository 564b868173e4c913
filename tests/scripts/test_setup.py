from pathlib import Path

from .conftest import Run


def test_the_environment_file_is_copied_once(run: Run, clone: Path) -> None:
    (clone / "deploy" / ".env.example").write_text("JWT_SECRET=devsecret\n")
    assert run("setup.py", repo=clone).returncode == 0
    (clone / "deploy" / ".env").write_text("JWT_SECRET=mine\n")
    done = run("setup.py", repo=clone)
    assert done.returncode == 0
    assert (clone / "deploy" / ".env").read_text() == "JWT_SECRET=mine\n"


def test_a_folder_without_git_is_said_not_to_have_hooks(run: Run, clone: Path) -> None:
    done = run("setup.py", repo=clone)
    assert "not a git clone" in done.stdout
    assert done.returncode == 0
