"""Structured logs: JSON lines, or readable ones on a terminal; each carries the request id."""

import json
import logging
import sys
import time
import traceback
import warnings
from contextvars import ContextVar
from typing import Any

request_id_var: ContextVar[str] = ContextVar("request_id", default="")

_EXTRA = "fields"


class _JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _timestamp(record),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := request_id_var.get():
            line["request_id"] = request_id
        line.update(_fields(record))
        return json.dumps(line, default=str)


class _TextFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        head = f"{_timestamp(record)} {record.levelname:<7} {self._service}"
        return f"{head} {record.getMessage()} {fields}".rstrip()


def get_logger(name: str) -> logging.Logger:
    """A logger; pass structured values with `extra=fields(order_id=1)`."""
    return logging.getLogger(name)


def fields(**values: Any) -> dict[str, Any]:
    """Structured values of one log line, never a password, a token or a request body."""
    return {_EXTRA: values}


def describe_error(error: BaseException) -> str:
    """The error's type and where it arose, without its message, which may repeat user input."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    trail = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    sqlstate = getattr(getattr(error, "orig", error), "sqlstate", None)
    name = type(error).__name__ + (f" ({sqlstate})" if sqlstate else "")
    return f"{name} at {trail}" if trail else name


def configure_logging(service: str, *, level: str, style: str) -> None:
    """Send everything, uvicorn's lines too, to standard output in one format."""
    text = style == "text" or (style == "auto" and sys.stdout.isatty())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_TextFormatter(service) if text else _JsonFormatter(service))
    # What no line shows is not to be found out for each.
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
    logging.captureWarnings(capture=True)
    # The service says once, and louder, that the demo's secrets are in use.
    warnings.filterwarnings("ignore", message="The HMAC key is")
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    # A broker that is away is said once by the loops, not ten times a second by each client.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _timestamp(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra: dict[str, Any] = getattr(record, _EXTRA, {})
    if record.exc_info and record.exc_info[1]:
        return {**extra, "error": describe_error(record.exc_info[1])}
    return extra
