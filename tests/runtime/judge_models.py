"""Randomly initialised models, with tokenizers of every common make, saved as directories."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from cm2dsl import prompts

PAD, END, USER = "<|pad|>", "<|end|>", "<|user|>"
CONTROL = [PAD, END, USER]
ASCII = [chr(code) for code in range(0x20, 0x7F)]
CHAT = "{% for m in messages %}<|user|>{{ m.role }}: {{ m.content }}{% endfor %}<|user|>judge: "


def byte_level(alphabet: list[str] | None = None) -> Tokenizer:
    """As GPT-2, Llama 3, Qwen: all 256 bytes, and what merges in the judge's own prompts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=CONTROL,
        initial_alphabet=alphabet or pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*prompts.files().values(), "航班"], trainer)
    return tokenizer


def some_bytes() -> Tokenizer:
    """Byte level, but with some bytes only: most letters that it begins it cannot end."""
    return byte_level(["Ġ", "Ċ", *ASCII[1:]])


def sentencepiece_like() -> Tokenizer:
    """As Llama 2, Mistral, Gemma: `▁` for a space, and a token a byte to fall back on."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=CONTROL,
        initial_alphabet=["▁", *ASCII[1:]],
        show_progress=False,
    )
    tokenizer.train_from_iterator(prompts.files().values(), trainer)
    tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.add_tokens([token for token in tokens if tokenizer.token_to_id(token) is None])
    return tokenizer


def letters(alphabet: str = "".join(ASCII)) -> Tokenizer:
    """A token a letter, and a decoder that would put spaces between them."""
    words = [*CONTROL, *alphabet]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(CONTROL)
    return tokenizer


def without_braces() -> Tokenizer:
    return letters(string.ascii_letters + string.digits)


def save(
    directory: Path,
    tokenizer: Tokenizer,
    *,
    template: str | None = None,
    context: int = 8192,
    end: str | None = END,
    vocabulary: int | None = None,
    seed: int = 0,
) -> Path:
    """A Llama of some ten thousand random weights, large enough that its answers differ."""
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=end, chat_template=template
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary or len(fast),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=context,
            initializer_range=1.0,
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    model.save_pretrained(directory)
    fast.save_pretrained(directory)
    return directory
