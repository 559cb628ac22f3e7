"""A policy that is played and not trained: out of a directory, with what samples from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cm2.bundle import Bundle
from cm2.rollout.codec import Codec
from cm2.rollout.generator import Generator


SMALL = 5_000_000
"""Parameters of a model whose matrices are too small for several threads to share."""


class PolicyError(Exception):
    """A policy that cannot be played. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Player:
    """What rollouts are sampled with. `positions` is how long a dialogue the model knows, None
    where it does not say."""

    codec: Codec
    generator: Generator
    positions: int | None


def opened(model: str, bundle: Bundle, *, temperature: float, slots: int) -> Player:
    """The policy in a transformers directory. Raises PolicyError."""
    folder = Path(model)
    if not folder.is_dir():
        raise PolicyError(f"there is no folder `{model}`", _HELP)
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise PolicyError(f"`{model}` has no config.json", _HELP)
    from cm2.rollout.local import LocalGenerator
    from cm2.rollout.policy import load_policy
    from cm2.rollout.sampling import Sampling

    try:
        policy = load_policy(folder, bundle)
        generator = LocalGenerator(
            policy.model,
            ends=policy.ends,
            pad=policy.codec.pad,
            sampling=Sampling(temperature=temperature),
            slots=slots,
        )
    except (OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise PolicyError(f"`{model}` cannot be loaded as a policy: {reason}", _HELP) from error
    if sum(weight.numel() for weight in policy.model.parameters()) < SMALL:
        import torch

        torch.set_num_threads(1)
    positions = getattr(policy.model.config, "max_position_embeddings", None)
    return Player(policy.codec, generator, positions)


def identity(model: str) -> str:
    """What changes when the policy does. Raises OSError."""
    folder = Path(model)
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return repr([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files])


_HELP = "give the directory of a causal model saved by transformers, with its tokenizer"
