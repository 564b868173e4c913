"""What is broken when: the same seed gives the same schedule."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("kill", "freeze", "restart")
MOST_AT_ONCE = 2
FREEZE = (1.0, 8.0)
_TWO_AT_ONCE = 0.3
_TAKEN = 1.0
"""Seconds for which a killed target counts as broken: at least until it is started again."""


@dataclass(frozen=True)
class Fault:
    """`seconds` is how long a freeze lasts; the others are over at once."""

    at: float
    kind: str
    target: str
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind} {self.target}{lasting}"


def make_schedule(
    seed: int, *, seconds: float, every: float, targets: Sequence[str]
) -> list[Fault]:
    """One or two faults every `every` seconds, never more than two targets broken at once."""
    rng = random.Random(f"faults {seed}")
    faults: list[Fault] = []
    for turn in range(1, int(seconds / every) + 1):
        at = turn * every
        broken = {f.target for f in faults if f.at + max(f.seconds, _TAKEN) > at}
        wanted = MOST_AT_ONCE if rng.random() < _TWO_AT_ONCE else 1
        whole = sorted(set(targets) - broken)
        for target in rng.sample(whole, min(wanted, MOST_AT_ONCE - len(broken), len(whole))):
            kind = rng.choice(KINDS)
            lasting = round(rng.uniform(*FREEZE), 1) if kind == "freeze" else 0.0
            faults.append(Fault(at, kind, target, lasting))
    return faults
