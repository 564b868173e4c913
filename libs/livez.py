"""A container's healthcheck: exit code 0 when this service's process answers.

Run as a file (`python -IS libs/livez.py`): it imports nothing of ours, so it costs 20 ms, not 500.
"""

import os
import socket

_SECONDS = 3.0


def main() -> int:
    port = int(os.environ.get("UVICORN_PORT", "8000"))
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
        connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        return 0 if b" 200 " in connection.recv(64) else 1


if __name__ == "__main__":
    raise SystemExit(main())
