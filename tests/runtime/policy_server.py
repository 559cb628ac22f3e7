"""A server of completions by token ids on loopback, around a real small model, as vLLM speaks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch

from cm2.rollout.sampling import Sampling, choose

Change = Callable[[int, dict[str, Any], dict[str, Any]], "dict[str, Any] | int | None"]
"""What is sent for request number n, its body and the right answer; a number is a status, None
hangs up."""

KNOWN = {
    "model",
    "prompt",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
    "logprobs",
    "stop_token_ids",
    "return_token_ids",
    "skip_special_tokens",
}
"""Fields of vLLM's CompletionRequest, which ignores others in silence: here they are refused."""


class PolicyServer:
    """Serves until it is closed. `processed`: log-probabilities of what is sampled from, else of
    the model, as vLLM's two modes. `bodies` are the requests as they came."""

    def __init__(
        self,
        model: Any,
        *,
        processed: bool = True,
        change: Change = lambda number, body, answer: answer,
        delay: float = 0.0,
    ) -> None:
        self.model, self.processed, self.change, self.delay = model, processed, change, delay
        self.bodies: list[dict[str, Any]] = []
        self.now = self.most = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.serve(self)

            def do_GET(self) -> None:
                outer.told(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> PolicyServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        with self.lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.delay)
        with self.lock:
            self.now -= 1
            right = self._answer(body)
        sent: Any = self.change(number, body, right) if handler.path == "/v1/completions" else 404
        if sent is None:
            handler.close_connection = True
            return
        self.send(handler, sent)

    def told(self, handler: BaseHTTPRequestHandler) -> None:
        """What the server says of itself: nothing."""
        self.send(handler, 404)

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, sent: dict[str, Any] | int) -> None:
        status, text = (sent, "no") if isinstance(sent, int) else (200, json.dumps(sent))
        raw = text.encode()
        handler.send_response(status)
        handler.send_header("content-length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        assert not {*body} - KNOWN, body
        sampling = Sampling(
            body["temperature"], body["top_p"], max(0, body["top_k"]), body["min_p"]
        )
        noise = np.random.default_rng(body["seed"])
        ids, said, logprobs = list(body["prompt"]), [], []
        ends = {*body["stop_token_ids"], self.model.config.eos_token_id}
        while len(said) < body["max_tokens"] and not (said and said[-1] in ends):
            with torch.no_grad():
                logits = self.model(input_ids=torch.tensor([ids])).logits[:, -1]
            chosen = choose(logits, torch.tensor([noise.random()]).double(), sampling, 0.0)
            token = int(chosen.token)
            raw = logits.log_softmax(-1)[0, token].item()
            logprobs.append(chosen.logprob.item() if self.processed else raw)
            said.append(token)
            ids.append(token)
        choice = {
            "index": 0,
            "text": "",
            "finish_reason": "stop" if said[-1] in ends else "length",
            "token_ids": said,
            "prompt_token_ids": body["prompt"],
            "logprobs": {"tokens": [], "token_logprobs": logprobs, "text_offset": []},
        }
        return {"id": "c", "object": "text_completion", "choices": [choice]}
