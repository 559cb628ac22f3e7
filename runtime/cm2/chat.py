"""OpenAI chat JSONL; defined in `cm2dsl.chat`, as the compiler reads recordings too."""

from __future__ import annotations

from cm2dsl.chat import ChatError, arguments, from_chat, read, to_chat

__all__ = ["ChatError", "arguments", "from_chat", "read", "to_chat"]
