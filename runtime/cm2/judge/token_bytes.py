"""What every token of a tokenizer writes, in bytes, so that an answer is its tokens' bytes joined.

Outlines asks the tokenizer to decode each token by itself, which loses halves of letters, and goes
wrong where a decoder joins tokens with spaces. The bytes are exact: the grammar then sees what is
written, and every answer is valid UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BYTE_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_CONTINUATIONS = [bytes([byte]) for byte in range(0x80, 0xC0)]


def token_bytes(tokenizer: Any) -> dict[int, bytes]:
    """Id -> bytes of every token that can be part of a text: control tokens are left out.

    So are tokens that are only a part of a letter where the vocabulary cannot complete it.
    """
    added = tokenizer.added_tokens_decoder
    control = {*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)}
    kinds = _decoder_kinds(tokenizer)
    found = {
        i: str(added[i]).encode() if i in added else _bytes(token, kinds)
        for token, i in tokenizer.get_vocab().items()
        if i not in control
    }
    if {*_CONTINUATIONS} <= {*found.values()}:
        return {i: written for i, written in found.items() if written}
    return {i: written for i, written in found.items() if written and _is_text(written)}


def _bytes(token: str, kinds: frozenset[str]) -> bytes:
    if "ByteLevel" in kinds and all(letter in _BYTE_OF for letter in token):
        return bytes(_BYTE_OF[letter] for letter in token)
    if "ByteFallback" in kinds and (match := _BYTE_FALLBACK.fullmatch(token)):
        return bytes([int(match[1], 16)])
    if {"Metaspace", "Replace"} & kinds:
        token = token.replace("▁", " ")
    if "WordPiece" in kinds:
        token = token.removeprefix("##")
    return token.encode("utf-8", "replace")


def _is_text(written: bytes) -> bool:
    try:
        written.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoder_kinds(tokenizer: Any) -> frozenset[str]:
    """The kinds of decoder of a tokenizer: ByteLevel, Metaspace, ByteFallback, and so on.

    Those of sentencepiece for one without a description of itself.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return frozenset({"Replace", "ByteFallback"})
    return frozenset(_kinds(json.loads(backend.to_str()).get("decoder")))


def _kinds(decoder: Mapping[str, Any] | None) -> Iterator[str]:
    if decoder is not None:
        yield decoder["type"]
        for part in decoder.get("decoders", ()):
            yield from _kinds(part)


def _byte_letters() -> dict[str, int]:
    """The letter that byte-level tokenizers (GPT-2's) write for each byte, and the byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [byte for byte in range(0x100) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(0x100 + number): byte for number, byte in enumerate(other)
    }


_BYTE_OF = _byte_letters()
