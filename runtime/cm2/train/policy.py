"""The policy that a run starts from: a model that was asked for, or a tiny one, cold-started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from cm2.bundle import Bundle
from cm2.rollout.messages import write
from cm2.rollout.policy import Policy, codec_for, is_adapter, load_policy
from cm2.train.coldstart import cold_start, encode
from cm2.train.config import Config, Tiny
from cm2.train.folder import COLD, MERGED, RunError, RunFolder
from cm2.train.ranks import Ranks
from cm2.train.relabel import Relabeller
from cm2.train.tiny import build_model, build_tokenizer
from cm2.train.weights import merge
from cm2.trajectory import Trajectory


def starting_policy(
    bundle: Bundle,
    config: Config,
    folder: RunFolder,
    recordings: list[Trajectory],
    training: set[str],
    ranks: Ranks,
) -> Policy:
    """The model that was asked for, or a tiny one cold-started on recordings of training rows: by
    the first rank, while the others wait for it. Raises RunError."""
    if config.model is None:
        if config.tiny is None:
            raise RunError("there is no model to train; give one with --model, or --preset tiny")
        ranks.once(lambda: _start_cold(bundle, config, folder, recordings, training))
        return load_policy(folder.path / COLD, bundle, dtype_of(config))
    model = Path(config.model).resolve()  # what is saved names it, and may be read from elsewhere
    try:
        if is_adapter(model):
            ranks.once(lambda: _start_merged(model, folder))
            model = folder.path / MERGED
        if not (model / "config.json").is_file():
            raise RunError(
                f"`{config.model}` has no config.json; "
                "give the directory of a model saved by transformers"
            )
        return load_policy(model, bundle, dtype_of(config))
    except (OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"`{config.model}` cannot be loaded as a policy: {reason}; give the directory of a "
            "causal model saved by transformers, with a tokenizer that has a chat template for it"
        ) from error


def dtype_of(config: Config) -> str:
    """The number type of the weights.

    What is trained is kept in float32: a step of size 1e-6 is less than bfloat16 can add to most
    weights. Under an adapter the weights stay as they are, and a GPU has them in bfloat16.
    """
    if config.dtype != "auto":
        return config.dtype
    return "bfloat16" if config.lora is not None and torch.cuda.is_available() else "float32"


def _start_merged(adapter: Path, folder: RunFolder) -> None:
    """A model of its own out of an adapter: there must be one to compare with, and to build on."""
    from transformers import AutoTokenizer

    if not (folder.path / MERGED).exists():
        tokenizer = AutoTokenizer.from_pretrained(adapter, padding_side="left")
        folder.write_folder(MERGED, lambda path: merge(adapter, tokenizer, path))


def _start_cold(
    bundle: Bundle,
    config: Config,
    folder: RunFolder,
    recordings: list[Trajectory],
    training: set[str],
) -> None:
    assert config.tiny is not None
    if (folder.path / COLD).exists():
        return
    seen = [recording for recording in recordings if recording.task in training]
    if not seen:
        raise RunError(
            "the tasks name no `reference` with recordings of training rows, "
            "so no policy can be cold-started; give one with --model"
        )
    with tqdm(total=config.tiny.steps, desc="cold start", unit="batch") as bar:

        def on_step(_: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
            bar.update()

        policy = cold_started(
            bundle,
            seen,
            config.tiny,
            positions=config.limits.tokens,
            seed=config.seed,
            on_step=on_step,
        )
    folder.write_folder(COLD, policy.save)


def cold_started(
    bundle: Bundle,
    recordings: Sequence[Trajectory],
    tiny: Tiny,
    *,
    positions: int,
    seed: int,
    on_step: Callable[[int, float], None],
) -> Policy:
    """A tiny policy, trained on `recordings` alone (give those of training rows).

    Raises RunError where its sizes do not fit.
    """
    if tiny.hidden % (2 * tiny.heads):
        raise RunError(
            f"`tiny.hidden` is {tiny.hidden}, and {tiny.heads} heads (`tiny.heads`) "
            f"cannot share it: rotary positions take it to be a multiple of {2 * tiny.heads}"
        )
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
