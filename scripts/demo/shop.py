"""The shop's API through the gateway, as the demo uses it."""

import time
from typing import Any

import httpx

from ..console import Console, ScriptError
from ..stacks import HOW_TO_START, Target

SERVICES = ("auth", "catalog", "cart", "order", "payment", "shipping", "notifications")
START_LIMIT = 60.0
MIGRATE = "the tables are missing: run python scripts/seed.py, then this again"
SOMETHING_ELSE = (
    "Something else than this stack answers at {}: free that port, or set HTTP_PORT in deploy/.env "
    "and start the stack again"
)
ADVICE = {
    401: "the accounts' passwords or JWT_SECRET have changed; start from an empty database",
    403: "SVC_INTERNAL_KEY here must be the stack's (environment or deploy/.env)",
    502: "the gateway can't reach the service; look at its log",
    503: "look at /health of the service",
}


class Shop:
    """One HTTP client for all calls. `step` is named when one of them fails."""

    def __init__(self, target: Target, console: Console) -> None:
        self.target = target
        self.console = console
        self.step = "start"
        self.http = httpx.Client(base_url=target.gateway, timeout=20, trust_env=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        internal: bool = False,
        expect: tuple[int, ...] = (200,),
        **options: Any,
    ) -> httpx.Response:
        """The answer, if its status is expected; else a ScriptError with the service's words."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if internal:
            headers["X-Internal-Key"] = self.target.internal_key
        try:
            response = self.http.request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            raise self.failed(f"{method} {path}: no answer ({type(error).__name__})") from None
        if response.status_code not in expect:
            raise self.failed(_refusal(method, path, response))
        return response

    def failed(self, why: str) -> ScriptError:
        return ScriptError(f"{self.step} failed: {why}")

    def wait_until_up(self) -> None:
        """All services are healthy. A moment after `compose up` they may still be starting."""
        deadline = time.monotonic() + START_LIMIT
        while ill := self._ill():
            if "migrations pending" in ill:
                raise ScriptError(MIGRATE)
            if time.monotonic() > deadline:
                raise ScriptError(f"Not healthy within {START_LIMIT:.0f} s: {ill}")
            self.console.progress(f"waiting for {ill}")
            time.sleep(0.2)

    def _ill(self) -> str:
        """The first service that is not healthy, and why; empty when all are. Raises ScriptError
        where waiting is of no use."""
        for name in SERVICES:
            try:
                response = self.http.get(f"/{name}/health")
            except (httpx.ConnectError, httpx.ConnectTimeout):
                where = self.target.gateway
                raise ScriptError(f"Nothing answers at {where}: {HOW_TO_START}") from None
            except httpx.HTTPError as error:
                return f"{name}: no answer ({type(error).__name__})"
            if _is_of_another_server(response):
                raise ScriptError(SOMETHING_ELSE.format(self.target.gateway))
            if response.status_code != 200:
                return f"{name}: {_health(response)}"
        return ""


def _is_of_another_server(response: httpx.Response) -> bool:
    """It is no word of a service on its health, nor of a gateway that has no routes yet."""
    of_gateway = response.text.strip() == "404 page not found"
    of_service = "checks" in _json(response)
    return not (of_gateway or of_service or response.status_code in (502, 503, 504))


def _checks(response: httpx.Response) -> dict[str, str]:
    checks = _json(response).get("checks")
    return checks if isinstance(checks, dict) else {}


def _health(response: httpx.Response) -> str:
    wrong = {name: state for name, state in _checks(response).items() if state != "ok"}
    said = ", ".join(f"{name} {state}" for name, state in wrong.items())
    return said or f"status {response.status_code} from the gateway"


def _refusal(method: str, path: str, response: httpx.Response) -> str:
    detail = detail_of(response)
    if "seed.py" in detail:
        return MIGRATE
    advice = ADVICE.get(response.status_code, "")
    said = f"{method} {path} answered {response.status_code}{detail and f' ({detail})'}"
    return f"{said}; {advice}" if advice else said


def detail_of(response: httpx.Response) -> str:
    """What the service says, in one line."""
    return " ".join(str(_json(response).get("detail", "")).split())[:300]


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
