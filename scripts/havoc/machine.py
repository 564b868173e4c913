"""What the parts of a stack run on, as far as it can be broken."""

from collections.abc import Mapping, Sequence
from typing import Protocol

SERVICES = ("auth", "catalog", "cart", "order", "payment", "shipping", "notifications")


class Machine(Protocol):
    """Targets go by what they are (`broker`, `cache`), not by the program that is it."""

    @property
    def targets(self) -> Sequence[str]: ...

    async def kill(self, target: str) -> None:
        """SIGKILL; whoever looks after the target starts it again."""

    async def freeze(self, target: str) -> None: ...

    async def thaw(self, target: str) -> None: ...

    async def restart(self, target: str) -> None:
        """Asks it to stop, as an operator does; it comes back."""

    def thaw_all(self) -> None:
        """What is frozen still goes on; never raises."""


class TargetBusyError(Exception):
    """The target is not up, so it can't be broken just now."""


def roles(names: Mapping[str, str], present: Sequence[str]) -> dict[str, str]:
    """What each target is called in this stack, of those that it has."""
    known = {**{name: name for name in SERVICES}, **names}
    return {role: name for role, name in known.items() if name in present}
