"""What samples a run's rollouts and evaluations: the model that learns, or an engine beside it.

An engine has weights of its own. It is woken for a set of rollouts: then it gets the weights as
they are, and forgets what it computed with others. One way and one place, before a step's rollouts
and before each evaluation, so that nothing is ever sampled with weights of another moment. TRL's
code carries the weights; its own call before `rollout_func` is left out (cm2.train.trainer).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from traceback import walk_tb
from typing import Any, Protocol

from cm2.judge.engine import EngineError
from cm2.rollout.generator import Generator
from cm2.rollout.in_vllm import VllmGenerator
from cm2.rollout.policy import Policy
from cm2.rollout.sampling import Sampling
from cm2.rollout.served import ServedGenerator, Server
from cm2.train.clock import Clock
from cm2.train.config import Config
from cm2.train.folder import RunError
from cm2.train.ranks import Ranks
from cm2.train.vllm import LOCAL, address, asking, see_installed, see_server, see_weights_taken

FORGETS = 60.0
"""Seconds in which a server must have forgotten its prefixes."""


class Syncer(Protocol):
    """How an engine gets weights. Every process calls each of these, at the same time."""

    def see(self, config: Config) -> None:
        """Raises RunError where that could not work."""

    def arguments(self, config: Config) -> Mapping[str, Any]:
        """What TRL's trainer is told for it, as arguments of GRPOConfig."""

    def sync(self, trainer: Any) -> None:
        """Give the engine the weights of the trainer's model, merged with its adapter."""


class TrlSyncer:
    """TRL's own way: into the engine that it starts on this GPU, or over NCCL to a server."""

    def see(self, config: Config) -> None:
        see_installed(config)
        if config.generation.backend == "server":
            see_weights_taken(config)

    def arguments(self, config: Config) -> Mapping[str, Any]:
        said: dict[str, Any] = {
            "use_vllm": True,
            # The trainer's own `truncate` weighs tokens, whatever samples. Both would do it twice.
            "vllm_importance_sampling_correction": False,
        }
        if config.generation.backend == "server":
            return said | {
                "vllm_mode": "server",
                "vllm_server_base_url": address(config),
                "vllm_group_port": config.generation.port,
                "vllm_server_timeout": 10.0,  # it answered a moment ago
            }
        return said | {
            "vllm_mode": "colocate",
            "vllm_gpu_memory_utilization": config.generation.memory,
            "vllm_enable_sleep_mode": config.generation.sleep,
            "vllm_max_model_length": config.limits.tokens,
        }

    def sync(self, trainer: Any) -> None:
        trainer.vllm_generation.sync_weights()


class Engine(Protocol):
    """What plays: `generator` samples while the engine is awake."""

    generator: Generator

    def load(self) -> None:
        """Take the weights as they are. Raises EngineError."""

    def rest(self) -> None:
        """Nothing is sampled until the next `load`."""


class Colocated:
    """vLLM in this process, on the GPU that trains: started by TRL, sampled from here.

    Each process has one, with all weights. While it sleeps it holds no memory but the program's:
    its weights are thrown away, for the next ones replace them anyway.
    """

    def __init__(self, config: Config, policy: Policy, trainer: Any, syncer: Syncer) -> None:
        self._vllm, self._trainer, self._syncer = trainer.vllm_generation, trainer, syncer
        self._sleeps = config.generation.sleep
        self.generator: Generator = VllmGenerator(
            self._vllm.llm, ends=policy.ends, sampling=Sampling(**asdict(config.sampling))
        )

    def load(self) -> None:
        with _told("vLLM's engine did not take the weights", "see what it wrote above"):
            self._syncer.sync(self._trainer)  # wakes the weights' memory
            if self._sleeps:
                self._vllm.llm.wake_up(tags=["kv_cache"])
            if not self._vllm.llm.reset_prefix_cache():
                raise EngineError(
                    "vLLM's engine did not forget what it computed with older weights",
                    "nothing else may use it",
                )

    def rest(self) -> None:
        if self._sleeps:
            self._vllm.llm.sleep(level=2)
            self._vllm._llm_weights_sleeping = True


class Served:
    """vLLM's server, on other GPUs: the first process gives it the weights, all sample from it."""

    def __init__(
        self, config: Config, policy: Policy, trainer: Any, syncer: Syncer, ranks: Ranks
    ) -> None:
        self._where, self._trainer, self._syncer = address(config), trainer, syncer
        self._first = ranks.first
        server = Server(
            f"{self._where}/v1",
            see_server(config),
            concurrency=max(1, config.generation.concurrent // ranks.count),
        )
        self.generator: Generator = ServedGenerator(
            server, ends=policy.ends, sampling=Sampling(**asdict(config.sampling))
        )

    def load(self) -> None:
        help = f"see that the server at {self._where} runs, and what it wrote"
        with _told("the server did not take the weights", help):
            self._syncer.sync(self._trainer)
            if self._first:
                self._forget()

    def rest(self) -> None:
        """A server rests by itself."""

    def _forget(self) -> None:
        with asking(self._where, FORGETS) as client:
            reply = client.post(f"{self._where}/reset_prefix_cache")
        if reply.status_code != 200 or not reply.json().get("success"):
            raise EngineError(
                "the server did not forget what it computed with older weights "
                f"(/reset_prefix_cache: {reply.status_code} {reply.text[:100]})",
                "let nobody else ask it while a run trains",
            )


@contextmanager
def starting(config: Config) -> Iterator[None]:
    """Raises RunError for whatever keeps an engine from starting, in vLLM's words."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        broke = error.__cause__ if isinstance(error, RunError) else error
        if broke is None or not _is_vllms(broke):
            raise
        said = " ".join(f"{type(broke).__name__}: {broke}".split())[:600]
        where = address(config) if config.generation.backend == "server" else "this GPU"
        raise RunError(f"vLLM cannot be used on {where}: {said}; {LOCAL}") from error


def _is_vllms(error: BaseException) -> bool:
    """Whether vLLM, or TRL's way to it, was at work when it was raised."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    names = (frame.f_globals.get("__name__", "") for frame in frames)
    return any(name.startswith(("vllm.", "trl.generation.")) for name in names)


@contextmanager
def awake(engine: Engine | None, ranks: Ranks, clock: Clock) -> Iterator[None]:
    """While rollouts are played: with the weights as they are. None is the model that learns,
    which always has them."""
    if engine is None:
        yield
        return
    with clock.phase("weights"):
        ranks.together(engine.load)  # nobody samples before all weights are there
    try:
        yield
    finally:
        engine.rest()


def engine_of(config: Config, policy: Policy, trainer: Any, syncer: Syncer, ranks: Ranks) -> Engine:
    """The engine that a run's config asks for, of a trainer that has been told of it."""
    if config.generation.backend == "server":
        return Served(config, policy, trainer, syncer, ranks)
    return Colocated(config, policy, trainer, syncer)


def see_generation(config: Config, syncer: Syncer) -> None:
    """Raises RunError where what should sample cannot."""
    if config.generation.backend == "local":
        return
    if config.generation.backend == "server":
        see_server(config)
    syncer.see(config)


def arguments_of(config: Config, syncer: Syncer) -> Mapping[str, Any]:
    """What TRL is told about what samples."""
    return {} if config.generation.backend == "local" else syncer.arguments(config)


@contextmanager
def _told(what: str, help: str) -> Iterator[None]:
    """Raises EngineError for whatever breaks: TRL's client raises plain Exceptions for a server's
    answer, and a worker what it likes. The run can go on from its newest checkpoint."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise EngineError(f"{what}: {said}", help) from error
