"""One JSON list, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.record import record


def show(found: Sequence[Diagnostic]) -> str:
    return json.dumps([record(one) for one in found], ensure_ascii=False, indent=1) + "\n"
