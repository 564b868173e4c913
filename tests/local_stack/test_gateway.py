"""The routes file, in a real Traefik, before upstreams that show what reached them."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from scripts.localstack import LocalStack


def raw(stack: LocalStack, target: str) -> tuple[int, str]:
    """Sends a path as it is; an HTTP library would tidy it up first."""
    url = urlsplit(stack.gateway)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=5) as connection:
        request = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")
    return int(answer.split()[1]), answer


@pytest.mark.parametrize(
    ("path", "service", "seen"),
    [
        ("/auth", "auth", "/auth/"),
        ("/auth/", "auth", "/auth/"),
        ("/auth/me", "auth", "/auth/me"),
        ("/order/v1/orders/1", "order", "/order/v1/orders/1"),
        ("/order/v1/orders/internals", "order", "/order/v1/orders/internals"),
        ("/order//v1/./x/../orders", "order", "/order/v1/orders"),
        ("/auth/order/x", "auth", "/auth/order/x"),
    ],
)
def test_a_service_gets_its_paths_without_the_prefix(
    stack: LocalStack, path: str, service: str, seen: str
) -> None:
    status, answer = raw(stack, path)

    assert status == 200
    assert f"pid: {stack.info['services'][service]['pid']}\n" in answer
    assert f"path: {seen}\n" in answer
    assert f"x-forwarded-prefix: /{service}\n" in answer


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/orderinternal/x",
        "/order-internal/x",
        "/ORDER/v1/orders",
        "/order/internal/x",
        "/order/internal",
        "/order/internal/",
        "/order/internal?x=1",
        "/order/INTERNAL/x",
        "/order/Internal/x",
        "/order//internal/x",
        "//order/internal/x",
        "/order/./internal/x",
        "/order/v1/../internal/x",
        "/auth/../order/internal/x",
        "/order/%69nternal/x",
        "/order/intern%61l/x",
        "/%6frder/%69nternal/x",
        "/order/%2e/internal/x",
        "/order/v1/%2e%2e/internal/x",
        "/order/internal;a=b/x",
        "/order/order/internal/x",
        "/order/metrics",
        "/order/metrics/",
        "/order/METRICS",
        "/order/%6detrics",
        "/auth//metrics",
        "/notaservice/metrics",
    ],
)
def test_what_only_services_may_call_is_not_there(stack: LocalStack, path: str) -> None:
    status, answer = raw(stack, path)

    assert status == 404
    assert "pid:" not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/order%2Finternal/x",
        "/order/%2finternal/x",
        "/order/..%2finternal/x",
        "/order/internal%2fx",
        "/order%2f%69nternal/x",
        "/order/%5cinternal",
        "/order/internal%00",
        "/order/%2569nternal/x",
        "/order/%252finternal/x",
        "/order/internal%3bx",
        "/order/internal%3fx",
        "/order/internal%23x",
    ],
)
def test_encoded_delimiters_are_refused(stack: LocalStack, path: str) -> None:
    status, answer = raw(stack, path)

    assert status in {400, 404}
    assert "pid:" not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/order/internal%20/x",
        "/order/%20internal/x",
        "/order/internal%09/x",
        "/order/internal%0a/x",
        "/order/inte%C5%97nal/x",
        "/order/%EF%BD%89nternal/x",
        "/order/internal.json",
    ],
)
def test_a_look_alike_is_another_path_for_the_service_too(stack: LocalStack, path: str) -> None:
    """Routes match exactly, so what differs by a character is a 404 of the service at most."""
    _, answer = raw(stack, path)

    assert "path: /order/internal/" not in answer
    assert "path: /order/metrics" not in answer


def test_a_client_can_not_pretend_to_be_behind_another_gateway(stack: LocalStack) -> None:
    forged = {"X-Forwarded-Prefix": "/forged", "X-Forwarded-For": "6.6.6.6"}
    answer = httpx.get(f"{stack.gateway}/order/x", headers=forged).text

    assert "x-forwarded-prefix: /order\n" in answer
    assert "/forged" not in answer
    assert "6.6.6.6" not in answer


def test_a_header_can_not_pass_as_another_one(stack: LocalStack) -> None:
    answer = httpx.get(f"{stack.gateway}/order/x", headers={"X_Forwarded_Prefix": "/forged"}).text

    assert "/forged" not in answer


def test_a_request_id_and_a_large_body_pass(stack: LocalStack) -> None:
    response = httpx.put(
        f"{stack.gateway}/order/image",
        content=b"x" * (5 << 20),
        headers={"X-Request-ID": "abc-123"},
    )

    assert response.status_code == 200
    assert "x-request-id: abc-123\n" in response.text


def test_a_service_that_is_away_is_a_gateway_error(stack: LocalStack) -> None:
    """`catalog` has no stub here, so its route leads to a name that does not exist."""
    assert httpx.get(f"{stack.gateway}/catalog/health", timeout=10).status_code in {502, 504}
