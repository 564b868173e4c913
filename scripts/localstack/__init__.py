"""The stack on one machine, without Docker.

For scripts and tests, after `ensure_environment()`:

    from scripts.localstack import LocalStack, StackError

    with LocalStack() as stack:            # or .start() and .stop()
        stack.gateway, stack.mailhog       # URLs
        stack.info["services"]["order"]    # all of .local/stack.json

`LocalStack(folder=tmp_path)` runs beside a stack that the user has up. Whatever happens to the
calling process, SIGKILL included, nothing of the stack outlives it.
"""

from .client import LocalStack
from .errors import StackError
from .state import Folder, StackInfo, default_folder

__all__ = ["Folder", "LocalStack", "StackError", "StackInfo", "default_folder"]
