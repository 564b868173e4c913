from .conftest import Run


def test_where_nothing_answers_it_says_how_to_start_a_stack(run: Run) -> None:
    done = run("run_demo.py", "--base", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "docker compose" in done.stderr
    assert "scripts/local.py up" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_base_that_is_no_address_is_refused(run: Run) -> None:
    done = run("run_demo.py", "--base", "localhost")
    assert done.returncode == 2
    assert "--base" in done.stderr
