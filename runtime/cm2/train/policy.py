"""The policy that a run starts from where none is given: a tiny one, cold-started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cm2.bundle import Bundle
from cm2.rollout.messages import write
from cm2.rollout.policy import Policy, codec_for
from cm2.train.coldstart import cold_start, encode
from cm2.train.config import Tiny
from cm2.train.relabel import Relabeller
from cm2.train.tiny import build_model, build_tokenizer
from cm2.trajectory import Trajectory


def cold_started(
    bundle: Bundle,
    recordings: Sequence[Trajectory],
    tiny: Tiny,
    *,
    positions: int,
    seed: int,
    on_step: Callable[[int, float], None],
) -> Policy:
    """A tiny policy, trained on `recordings` alone (give those of training rows)."""
    tokenizer = build_tokenizer(_texts(recordings), tiny.vocabulary)
    model = build_model(tokenizer, tiny, positions=positions, seed=seed)
    codec = codec_for(tokenizer, bundle)
    cold_start(
        model,
        [encode(recording, codec) for recording in recordings],
        tiny,
        relabel=Relabeller(tokenizer),
        pad=codec.pad,
        seed=seed,
        on_step=on_step,
    )
    return Policy(model, codec)


def _texts(recordings: Sequence[Trajectory]) -> Iterator[str]:
    """The texts that a tokenizer should be good at: all that is said and called in dialogues."""
    for recording in recordings:
        for turn in recording.turns:
            yield turn.user
            for step in turn.steps:
                yield write(step)
                yield from (call.result for call in step.calls if call.result)
