"""A policy that is played and not trained: out of a directory or behind a server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm2.bundle import Bundle

if TYPE_CHECKING:  # what needs an extra is imported when a policy is opened
    from cm2.rollout.codec import Codec
    from cm2.rollout.generator import Generator
    from cm2.rollout.sampling import Sampling

SMALL = 5_000_000
"""Parameters of a model whose matrices are too small for several threads to share."""

_FOLDER = (
    "give the directory of a causal model saved by transformers, with a tokenizer that has a chat "
    "template for it"
)
_TOKENIZER = "give the directory of its tokenizer, with its chat template, as --tokenizer"


class PolicyError(Exception):
    """A policy that cannot be played. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Source:
    """Where a policy is: `model` is a transformers directory, or the address of a server.

    Behind a server, `tokenizer` is the directory of its tokenizer, `served` what the server calls
    the model (the tokenizer's directory, by default), and `key_env` the variable with its key.
    """

    model: str
    tokenizer: Path | None = None
    served: str | None = None
    key_env: str | None = None

    @property
    def is_served(self) -> bool:
        return self.model.startswith(("http://", "https://"))

    def identity(self) -> str:
        """What changes when the policy does, as far as that can be seen. Raises OSError."""
        folder = self.tokenizer if self.is_served else Path(self.model)
        found = folder.iterdir() if folder is not None and folder.is_dir() else ()
        files = sorted(path for path in found if path.is_file())
        stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        return repr((self.model if self.is_served else "", self.served, stamps))


@dataclass(frozen=True, slots=True)
class Player:
    """What rollouts are sampled with. `positions` is how long a dialogue the model knows, None
    where nobody says."""

    codec: Codec
    generator: Generator
    positions: int | None


def opened(source: Source, bundle: Bundle, *, temperature: float, slots: int) -> Player:
    """The policy, `slots` dialogues of which are sampled at a time. Raises PolicyError."""
    from cm2.rollout.sampling import Sampling

    sampling = Sampling(temperature=temperature)
    if source.is_served:
        return _served(source, bundle, sampling, slots)
    if source.tokenizer or source.served or source.key_env:
        message = f"`{source.model}` is a directory, and --tokenizer, --served-as and --key-env"
        raise PolicyError(f"{message} are of a server", "leave them out")
    return _local(source, bundle, sampling, slots)


def _local(source: Source, bundle: Bundle, sampling: Sampling, slots: int) -> Player:
    folder = Path(source.model)
    if not folder.is_dir():
        raise PolicyError(f"there is no folder `{folder}`", _FOLDER)
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise PolicyError(f"`{folder}` has no config.json", _FOLDER)
    from cm2.rollout.local import LocalGenerator
    from cm2.rollout.policy import load_policy

    try:
        policy = load_policy(folder, bundle)
        generator = LocalGenerator(
            policy.model, ends=policy.ends, pad=policy.codec.pad, sampling=sampling, slots=slots
        )
    except (OSError, ValueError, ImportError) as error:
        message = f"`{folder}` cannot be loaded as a policy: {_words(error)}"
        raise PolicyError(message, _FOLDER) from error
    if sum(weight.numel() for weight in policy.model.parameters()) < SMALL:
        import torch

        torch.set_num_threads(1)
    positions = getattr(policy.model.config, "max_position_embeddings", None)
    return Player(policy.codec, generator, positions)


def _served(source: Source, bundle: Bundle, sampling: Sampling, slots: int) -> Player:
    from transformers import AutoTokenizer

    from cm2.rollout.policy import codec_for
    from cm2.rollout.served import ServedGenerator, Server

    folder = source.tokenizer
    if folder is None:
        raise PolicyError(f"the policy at `{source.model}` takes and gives token ids", _TOKENIZER)
    try:
        codec = codec_for(AutoTokenizer.from_pretrained(folder), bundle)
    except (OSError, ValueError, ImportError) as error:
        message = f"`{folder}` cannot be loaded as a tokenizer: {_words(error)}"
        raise PolicyError(message, _TOKENIZER) from error
    key = None
    if source.key_env is not None:
        key = os.environ.get(source.key_env)
        if not key:
            message = f"the environment variable `{source.key_env}` is not set"
            raise PolicyError(message, "put the server's key into it")
    url, name = source.model.rstrip("/"), source.served or str(folder)
    server = Server(url, name, key, concurrency=slots)
    generator = ServedGenerator(server, ends=[codec.end, *_ends(folder)], sampling=sampling)
    return Player(codec, generator, None)


def _ends(folder: Path) -> list[int]:
    """The tokens that end a message by the directory's generation settings, where it has any."""
    from transformers import GenerationConfig

    try:
        said: Any = GenerationConfig.from_pretrained(folder).eos_token_id
    except OSError:
        return []
    return [said] if isinstance(said, int) else list(said or ())


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
