"""One token for every row: which distribution it is drawn from, how, and how surely.

A token is drawn by inverting the cumulative distribution, in the order of token ids, at a number
in [0, 1) that the dialogue's own noise gives. The same logits and the same number give the same
token. Logits, though, are never quite the same: a matrix product of another shape adds in another
order. Where every logit is off by at most δ, the cumulative distribution C is off by at most
2δ·C·(1 − C) (the derivative of a softmax's partial sum, which is 0 at both ends). So a draw that is
further than that from the borders of its token's interval gives this token in every batch, and only
the few draws that are nearer need to be decided in one form that is always the same. `band` is the
bound that stands in for 2δ.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

BAND = 1e-4
"""Nine times the largest 2δ that was seen in single precision (docs/rollout.md)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which distribution tokens are drawn from.

    The logits are divided by `temperature`; 0 takes the likeliest token. `top_k` keeps the k
    likeliest tokens, `min_p` those at least that share as likely as the likeliest, and `top_p` the
    fewest likeliest ones that have that probability together; 0, 0 and 1 keep all. Each of them
    looks at the whole distribution, and a token is kept where all three keep it.

    Raises ValueError for a number out of range.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        for name, value, right in (
            ("temperature", self.temperature, self.temperature >= 0),
            ("top_p", self.top_p, 0 < self.top_p <= 1),
            ("top_k", self.top_k, self.top_k >= 0),
            ("min_p", self.min_p, 0 <= self.min_p <= 1),
        ):
            if not right:
                raise ValueError(f"`{name}` cannot be {value}")

    @property
    def cuts(self) -> bool:
        """Whether some tokens may be left out."""
        return self.top_p < 1 or self.top_k > 0 or self.min_p > 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """For every row: the token, its log-probability, and whether rounding could have changed it."""

    token: torch.Tensor
    logprob: torch.Tensor
    unsure: torch.Tensor


def choose(logits: torch.Tensor, draws: torch.Tensor, sampling: Sampling, band: float) -> Chosen:
    """One token a row.

    logits (B, V) in single precision, draws (B,) in double precision, each in [0, 1). The
    log-probabilities are those of the distribution that was drawn from: after the temperature and
    whatever was left out; those of a greedy choice are the model's own. Where the logits are no
    numbers, the log-probability is none either.
    """
    if sampling.temperature == 0:
        return _likeliest(logits, band)
    band = band / sampling.temperature
    logs = torch.log_softmax(
        logits if sampling.temperature == 1 else logits / sampling.temperature, dim=-1
    )
    unsure = None
    if sampling.cuts:
        logs, unsure = _cut(logs, sampling, band)
    sums = logs.double().exp_().cumsum_(-1)
    total = sums[:, -1:]
    # A draw just below 1 must not be rounded up to the end, where nothing is left to be drawn.
    drawn = torch.minimum(draws.unsqueeze(1) * total, torch.nextafter(total, total - 1))
    # Of logits that are no numbers, which have no sum, the search finds nothing at all.
    token = torch.searchsorted(sums, drawn, right=True).clamp_(max=sums.shape[1] - 1)
    above = sums.gather(1, token)
    below = torch.where(token > 0, sums.gather(1, (token - 1).clamp_(min=0)), 0.0)
    near = (drawn - below < band * below * (total - below)) | (
        above - drawn < band * above * (total - above)
    )
    near = near.squeeze(1)
    if unsure is not None:
        near |= unsure
    return Chosen(token.squeeze(1), logs.gather(1, token).squeeze(1), near)


def _likeliest(logits: torch.Tensor, band: float) -> Chosen:
    top, token = logits.topk(2, dim=-1)
    logprob = top[:, 0] - logits.logsumexp(-1)
    return Chosen(token[:, 0], logprob, top[:, 0] - top[:, 1] < band)


def _cut(logs: torch.Tensor, sampling: Sampling, band: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of what is kept, normalised, -inf elsewhere; and whether the cut is near.

    All three cuts keep the likeliest tokens, so they are one number: how many are kept.
    """
    ranked, order = logs.sort(dim=-1, descending=True, stable=True)
    size = logs.shape[1]
    kept = torch.full((len(logs),), size, device=logs.device)
    unsure = torch.zeros(len(logs), dtype=torch.bool, device=logs.device)
    if sampling.top_k:
        kept = kept.clamp(max=sampling.top_k)
    if sampling.min_p:
        gap = ranked - ranked[:, :1] - torch.tensor(sampling.min_p, device=logs.device).log()
        kept = torch.minimum(kept, (gap >= 0).sum(-1))
        unsure |= (gap[:, 1:].abs() < band).any(-1)
    if sampling.top_p < 1:
        sums = ranked.double().exp().cumsum(-1)
        before = sums - ranked.double().exp()
        kept = torch.minimum(kept, (before < sampling.top_p).sum(-1))
        unsure |= ((sums - sampling.top_p).abs() < band * sums * (1 - sums).abs()).any(-1)
    kept = kept.clamp(min=1)
    last = ranked.gather(1, kept.unsqueeze(1) - 1)
    first = ranked.gather(1, kept.clamp(max=size - 1).unsqueeze(1))
    # Which of two equally likely tokens is the last one kept is for rounding to say.
    unsure |= ((last - first).squeeze(1) < band) & (kept < size)
    out = torch.arange(size, device=logs.device) >= kept.unsqueeze(1)
    cut = logs.scatter(1, order, ranked.masked_fill(out, -torch.inf))
    return cut.log_softmax(-1), unsure
