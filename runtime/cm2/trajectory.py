"""Dialogues as turns, steps and segments.

They are defined in `cm2dsl.trajectory`: the compiler looks up anchors in recordings with them.
"""

from __future__ import annotations

from cm2dsl.trajectory import (
    Call,
    Channel,
    Segment,
    Step,
    Trajectory,
    Turn,
    call_text,
    has_failed,
    segments,
    step_segments,
)

__all__ = [
    "Call",
    "Channel",
    "Segment",
    "Step",
    "Trajectory",
    "Turn",
    "call_text",
    "has_failed",
    "segments",
    "step_segments",
]
