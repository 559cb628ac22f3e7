"""Lines to what takes a dialogue's whole tokens each time and keeps what they begin with itself.

Servers are like that: their prefix cache finds a dialogue by its tokens. The noise of a dialogue
gives a seed for each message. Seeds make a server's answers repeatable as far as it promises that;
none promises the same token in a batch of another size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence

import numpy as np

from cm2.rollout.generator import Generator, Line, PolicyFailure, Sampled


class PrefixGenerator(Generator):
    """A generator that continues token ids, and remembers nothing."""

    def open(self, noise: np.random.Generator) -> Line:
        return _PrefixLine(self, noise)

    @abstractmethod
    async def continued(self, ids: Sequence[int], budget: int, seed: int) -> Sampled:
        """What comes after `ids`, in at most `budget` tokens. Raises PolicyFailure."""


class _PrefixLine(Line):
    def __init__(self, generator: PrefixGenerator, noise: np.random.Generator) -> None:
        self._generator = generator
        self._noise = noise
        self._ids: list[int] = []

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        self._ids += given
        seed = int(self._noise.integers(2**31))
        sampled = await self._generator.continued(self._ids, budget, seed)
        self._ids += sampled.ids
        usage = self._generator.usage
        usage.sampled += len(sampled.ids)
        usage.prefilled += len(given)
        return sampled


def checked(
    ids: Sequence[int],
    logprobs: Sequence[float | None],
    *,
    budget: int,
    stopped: bool,
    ends: Collection[int],
) -> Sampled:
    """An answer whose tokens can be trained on. Raises PolicyFailure for any other.

    `stopped`: it is said to have ended by itself, so that it must show the token that ended it.
    """
    if not ids:
        raise PolicyFailure("the server sent no token")
    if len(ids) > budget:
        raise PolicyFailure(f"the server sent {len(ids)} tokens, and was asked for {budget}")
    given = [one for one in logprobs if one is not None]
    if len(given) != len(ids):
        raise PolicyFailure(f"the server sent {len(ids)} tokens with {len(given)} probabilities")
    if stopped and ids[-1] not in ends:
        raise PolicyFailure(
            f"the server left out the token that ended a message, or ended at {ids[-1]}"
        )
    if not stopped and len(ids) < budget:
        raise PolicyFailure(f"the server gave up after {len(ids)} of {budget} tokens")
    return Sampled(list(ids), given)
