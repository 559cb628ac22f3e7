"""A server that samples for a training run, on loopback: vLLM's endpoints around a real small
model, and one more that takes weights over HTTP, where vLLM takes them over NCCL."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import safetensors.torch
from policy_server import PolicyServer
from trl.distributed import DistributedBackend
from trl.generation.vllm_generation import VLLMGeneration

from cm2.train.config import Config


class TrainingServer(PolicyServer):
    """`card` is what it says of its model, `info` of itself (None: no development mode). `log` has
    what it was asked in order, one word each, and `sums` a sum over the weights of each time."""

    def __init__(self, model: Any, card: dict[str, Any], **options: Any) -> None:
        self.card = card
        self.info: dict[str, Any] | None = {
            "weight_transfer_config": {"backend": "nccl"},
            "model_config": {"logprobs_mode": "processed_logprobs"},
        }
        self.forgets = True
        self.log: list[str] = []
        self.sums: list[float] = []
        super().__init__(model, **options)

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    def told(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        self.log.append(path)
        answers: dict[str, Any] = {
            "/health": {},
            "/v1/models": {"object": "list", "data": [self.card]},
            "/get_world_size": {"world_size": 1},
        }
        if self.info is not None:
            answers["/server_info"] = {"vllm_config": self.info}
        self.send(handler, answers.get(path, 404))

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        if path == "/v1/completions":
            self.log.append("sample")
            return super().serve(handler)
        raw = handler.rfile.read(int(handler.headers["content-length"] or 0))
        if path == "/weights":
            self.log.append("weights")
            named = safetensors.torch.load(raw)
            with self.lock:
                self.model.load_state_dict(named)
            self.sums.append(sum(float(one.abs().sum()) for one in named.values()))
            return self.send(handler, {})
        if path == "/reset_prefix_cache":
            self.log.append("forget")
            return self.send(handler, {"success": self.forgets})
        return self.send(handler, 404)


class HttpSyncer:
    """Sends weights to such a server. Which they are, by what names, and with the adapter in them,
    TRL's own code says, as it does before it sends them over NCCL."""

    def __init__(self, server: TrainingServer) -> None:
        self.server = server
        self.lost = False  # whether they are lost on the way

    def see(self, config: Config) -> None:
        pass

    def arguments(self, config: Config) -> dict[str, Any]:
        return {}

    def sync(self, trainer: Any) -> None:
        theirs = VLLMGeneration.__new__(VLLMGeneration)
        theirs.model, theirs.accelerator = trainer.model, trainer.accelerator
        theirs._dist = DistributedBackend(trainer.accelerator)
        named = {name: weight.clone() for name, weight in theirs._iter_named_params()}
        if trainer.accelerator.is_main_process and not self.lost:
            httpx.post(
                f"{self.server.root}/weights", content=safetensors.torch.save(named)
            ).raise_for_status()
