"""An event loop that psycopg can be used in: on Windows the usual one is none."""

import asyncio
import sys
from collections.abc import Callable

_ADVICE = (
    "psycopg can't be used in Windows' proactor event loop; run this in another one: "
    "uvicorn app.main:app --loop asyncio:SelectorEventLoop\n"
)


def choose_event_loop() -> None:
    """On Windows, have uvicorn take the selector loop.

    The `uvicorn` command imports an app before it makes the loop, so it can still be told; with
    `--reload` or several workers it takes that loop by itself. Where the wrong one runs already
    (uvicorn's `Server.serve()`), the process ends with one line, exit code 2.
    """
    if sys.platform == "win32":
        from uvicorn.config import LOOP_FACTORIES

        ours = f"{__name__}:{selector_loop_factory.__name__}"
        LOOP_FACTORIES.update(auto=ours, asyncio=ours)
    if _is_proactor_running():
        sys.stderr.write(_ADVICE)
        raise SystemExit(2)


def selector_loop_factory(
    use_subprocess: bool = False,  # as uvicorn passes it
) -> Callable[[], asyncio.AbstractEventLoop]:
    return asyncio.SelectorEventLoop


def _is_proactor_running() -> bool:
    proactor = getattr(asyncio, "ProactorEventLoop", None)  # only on Windows
    try:
        return proactor is not None and isinstance(asyncio.get_running_loop(), proactor)
    except RuntimeError:
        return False
