"""Writes a tiny Llama with random weights as a GGUF file: `python tiny_gguf.py OUT`.

It runs where llama-cpp-python and gguf are installed, and imports nothing of this project. The
vocabulary has every byte, so that the model can write whatever a grammar allows, and the words of
the text on standard input, so that prompts of these words stay short.
"""

from __future__ import annotations

import re
import sys

import gguf
import numpy as np

WIDTH, HIDDEN, LAYERS, HEADS = 32, 64, 2, 2
CONTEXT = 16384
SPACE = "▁"


def vocabulary(text: str) -> list[tuple[str, gguf.TokenType]]:
    """Control tokens, bytes, printable letters, and words with all that they begin with.

    The tokenizer joins two neighbours at a time, so a word can be built only out of its beginnings.
    """
    control = [(token, gguf.TokenType.CONTROL) for token in ("<s>", "</s>")]
    bytes_ = [(f"<0x{byte:02X}>", gguf.TokenType.BYTE) for byte in range(256)]
    letters = [SPACE, *map(chr, range(0x21, 0x7F)), "\n"]
    words = {SPACE + word for word in re.findall(r"[A-Za-z]{2,}", text)}
    begun = {word[:end] for word in words for end in range(2, len(word) + 1)}
    plain = dict.fromkeys([*letters, *sorted(begun)])
    return [
        ("<unk>", gguf.TokenType.UNKNOWN),
        *control,
        *bytes_,
        *((token, gguf.TokenType.NORMAL) for token in plain),
    ]


def write(path: str, text: str, seed: int = 0) -> None:
    tokens = vocabulary(text)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token for token, _ in tokens])
    writer.add_token_scores([0.0 if len(token) > 1 else -1.0 for token, _ in tokens])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    draw = np.random.default_rng(seed)

    def random(name: str, *shape: int) -> None:
        writer.add_tensor(f"{name}.weight", draw.normal(0, 0.5, shape).astype(np.float32))

    def ones(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))

    random("token_embd", len(tokens), WIDTH)
    ones("output_norm")
    random("output", len(tokens), WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm")
        ones(f"{block}.ffn_norm")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            random(f"{block}.{part}", WIDTH, WIDTH)
        random(f"{block}.ffn_gate", HIDDEN, WIDTH)
        random(f"{block}.ffn_up", HIDDEN, WIDTH)
        random(f"{block}.ffn_down", WIDTH, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1], sys.stdin.read())
