"""A policy small enough to learn a spec from nothing on a CPU in minutes.

Its tokenizer is trained on the spec's own recordings, and its chat template renders only what
changes between dialogues: a model that knows one spec, and starts from random weights, has
nothing to gain from reading that spec's system prompt and tool schemas each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, SmolLM3Config, SmolLM3ForCausalLM, set_seed

from cm2.train.config import Tiny

PAD, END, USER, ASSISTANT, TOOL = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|tool|>"
_CONTROL = [PAD, END, USER, ASSISTANT, TOOL]
_TAGS = ["<tool_call>\n", "\n</tool_call>", "<think>\n", "\n</think>\n\n"]

_TEMPLATE = """\
{%- for message in messages -%}
{%- if message.role == 'user' -%}<|user|>{{ message.content }}
{%- elif message.role == 'tool' -%}<|tool|>{{ message.content }}
{%- elif message.role == 'assistant' -%}<|assistant|>{{ message.content or '' }}
{%- for call in message.tool_calls or [] -%}
{%- set arguments = call.function.arguments -%}
{%- if arguments is not string %}{% set arguments = arguments | tojson %}{% endif -%}
{{ '\\n' if message.content or not loop.first else '' }}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ arguments }}}
</tool_call>
{%- endfor -%}
<|end|>
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"""

# Every digit and every capital is a token of its own, so that a reservation id or an airport code
# is copied letter by letter and never memorised; JSON and words otherwise merge freely up to a
# space, because every token less is time won.
_PIECES = r"\d|[A-Z]| ?[^\sA-Z\d]+|\s"


def build_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most `vocabulary` tokens with a chat template for tools.

    Byte level, so that any language can be written, also one that `texts` does not hold.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=_CONTROL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens(_TAGS)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT, TOOL],
        chat_template=_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def build_model(
    tokenizer: PreTrainedTokenizerFast, tiny: Tiny, *, positions: int, seed: int
) -> Any:
    """A randomly initialised SmolLM3 causal model (0.17M parameters at the defaults).

    That is a Llama whose layers may look at a window only. The first one does, and sees
    `tiny.window` tokens: to copy, a layer must know which token came before each one, and where
    there is little else to look at, that is found in hundreds of steps and not in thousands.
    """
    set_seed(seed)
    config = SmolLM3Config(
        vocab_size=len(tokenizer),
        hidden_size=tiny.hidden,
        intermediate_size=3 * tiny.hidden,
        num_hidden_layers=tiny.layers,
        num_attention_heads=tiny.heads,
        num_key_value_heads=tiny.heads,
        max_position_embeddings=positions,
        initializer_range=tiny.spread,
        use_sliding_window=True,
        sliding_window=tiny.window,
        layer_types=["sliding_attention"] + ["full_attention"] * (tiny.layers - 1),
        no_rope_layers=[1] * tiny.layers,  # 1 is a layer with rotary positions
        rope_parameters={"rope_type": "default", "rope_theta": tiny.rope_theta},
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return SmolLM3ForCausalLM(config)
