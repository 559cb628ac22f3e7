"""Keeping the libraries' own notices out of what a run shows."""

from __future__ import annotations

import logging
import os
import warnings


def quieten() -> None:
    """Silence notices, not errors. Call it before anything imports trl: that reads the environment.

    Nothing is looked up on the network either: a run has all that it needs.
    """
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    import datasets
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    for name in ("trl", "accelerate", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)
