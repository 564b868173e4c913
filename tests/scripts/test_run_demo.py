import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

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


def test_another_web_server_on_the_gateways_port_is_named_at_once(run: Run) -> None:
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{other.server_port}"
        done = run("run_demo.py", "--base", base)
        other.shutdown()
    assert done.returncode == 1
    assert done.stderr.startswith(f"Something else than this stack answers at {base}: ")
    assert "HTTP_PORT" in done.stderr
    assert len(done.stderr.splitlines()) == 1
