"""What must hold before a run may count on vLLM, said before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import torch

from cm2.judge.endpoint.connection import is_url, proxy_before
from cm2.train.config import Config
from cm2.train.folder import RunError

LOCAL = "or sample in this process: --set generation.backend=local"

_SERVE = (
    "VLLM_SERVER_DEV_MODE=1 vllm serve {model} --weight-transfer-config "
    '\'{{"backend": "nccl"}}\' --logprobs-mode processed_logprobs'
)


def see_installed(config: Config) -> None:
    """Raises RunError where there is no vLLM, or no GPU that it could use."""
    what = f"`generation.backend` is `{config.generation.backend}`"
    if find_spec("vllm") is None:
        raise RunError(
            f"{what}, and vLLM is not installed; install with: pip install 'cm2dsl[train,vllm]', "
            f"{LOCAL}"
        )
    if not torch.cuda.is_available():
        raise RunError(f"{what}, and there is no GPU that torch sees (CUDA); use one, {LOCAL}")


def address(config: Config) -> str:
    """The server's address without a slash or `/v1` at its end. Raises RunError."""
    url = config.generation.url
    if url is None:
        raise RunError(
            "`generation.backend` is `server`, and no `generation.url` says where it is; "
            "such as --set generation.url=http://localhost:8000"
        )
    if not url.startswith(("http://", "https://")) or not is_url(url):
        raise RunError(f"`generation.url` is no address: `{url}`; such as http://localhost:8000")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def asking(where: str, seconds: float = 10.0) -> httpx.Client:
    """A client for the server. As for rollouts, the environment's proxies and certificates count,
    and no proxy stands between a machine and itself."""
    trusts = where.startswith("https:") or proxy_before(where) is not None
    return httpx.Client(timeout=seconds, trust_env=trusts)


def see_server(config: Config) -> str:
    """What the server calls the model.

    Raises RunError where it does not answer, serves another model, or one that knows less long a
    dialogue than `limits.tokens`.
    """
    where = address(config)
    if config.model is None:
        raise RunError("a server has no tiny policy; name its model with --model")
    name, card = _card(config, where)
    context = card.get("max_model_len")
    if isinstance(context, int) and context < config.limits.tokens:
        raise RunError(
            f"{where} knows dialogues of {context} tokens, and `limits.tokens` is "
            f"{config.limits.tokens}; start it with `--max-model-len {config.limits.tokens}`, "
            f"or set limits.tokens to {context}"
        )
    return name


def see_weights_taken(config: Config) -> None:
    """Raises RunError where the server was started in a way that it takes no weights."""
    where = address(config)
    how = f"start it as: {_SERVE.format(model=config.model)}"
    with asking(where) as client:
        try:
            reply = client.get(f"{where}/server_info", params={"config_format": "json"})
        except httpx.HTTPError as error:
            raise _silent(where, error) from error
    if reply.status_code != 200:
        raise RunError(f"{where} takes no weights: it does not run in its development mode; {how}")
    told = _read(where, reply)
    settings = told.get("vllm_config")
    if not isinstance(settings, dict) or settings.get("weight_transfer_config") is None:
        raise RunError(f"{where} takes no weights: it has no weight-transfer engine; {how}")


def _card(config: Config, where: str) -> tuple[str, Mapping[str, Any]]:
    """The model that is meant, as the server describes it."""
    with asking(where) as client:
        try:
            reply = client.get(f"{where}/v1/models")
        except httpx.HTTPError as error:
            raise _silent(where, error) from error
    if reply.status_code != 200:
        raise RunError(
            f"{where} answers {reply.status_code} where it should name its models; "
            "give the address of vLLM's server"
        )
    found = _read(where, reply).get("data")
    cards = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    names = [one["id"] for one in cards if isinstance(one.get("id"), str)]
    asked = config.generation.served_as
    for card in cards:
        name = card.get("id")
        if not isinstance(name, str):
            continue
        if name == asked or (asked is None and _is_ours(config, card)):
            return name, card
    serves = ", ".join(f"`{name}`" for name in names) or "no model"
    if asked is not None:
        raise RunError(
            f"{where} serves {serves}, and not `{asked}`; set generation.served_as to one of them"
        )
    raise RunError(
        f"{where} serves {serves}, and `{config.model}` is trained; serve that, or, where it is "
        "the same by another name, say so: --set generation.served_as=NAME"
    )


def _is_ours(config: Config, card: Mapping[str, Any]) -> bool:
    """Whether a served model is known by the trained one's directory."""
    assert config.model is not None
    ours = Path(config.model)
    said = [one for one in (card.get("id"), card.get("root")) if isinstance(one, str)]
    return any(one == config.model or Path(one) == ours.resolve() for one in said)


def _read(where: str, reply: httpx.Response) -> Mapping[str, Any]:
    try:
        told = reply.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise RunError(f"{where} sends no JSON; give the address of vLLM's server")
    return told


def _silent(where: str, error: httpx.HTTPError) -> RunError:
    what = str(error) or type(error).__name__
    return RunError(
        f"the server of `generation.url` does not answer at {where}: {what}; start it, {LOCAL}"
    )
