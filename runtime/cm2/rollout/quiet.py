"""Keeping the libraries' own notices out of what a run shows."""

from __future__ import annotations

import logging
import os
import warnings


def quieten() -> None:
    """Silence notices, not errors. Call it before anything imports trl or datasets: they read the
    environment, and not every run needs them.

    Nothing is looked up on the network either: a run has all that it needs.
    """
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in ("trl", "accelerate", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)
