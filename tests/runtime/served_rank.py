"""What each process does of a run whose rollouts come from a server.

torchrun … served_rank.py URL BUNDLE MODEL OUT

OUT.RANK has, for each step, how far the log-probabilities of the server are from the learner's.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moved_weights import gaps
from test_train_served import config
from training_server import HttpSyncer

from cm2.bundle import load
from cm2.train.run import train

if __name__ == "__main__":
    url, spec, model, out = sys.argv[1:]
    bundle = replace(load(Path(spec)), allow_python=True)
    server = cast(Any, SimpleNamespace(root=url))
    with pytest.MonkeyPatch.context() as patch:
        seen = gaps(patch)
        told = config(server, Path(model))
        train(bundle, told, Path(out), syncer=HttpSyncer(server))
    Path(f"{out}.{os.environ['RANK']}").write_text(json.dumps(seen), "utf-8")
