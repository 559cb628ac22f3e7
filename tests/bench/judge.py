"""The judge in process: answers on the schema, and what holding to it costs with each backend.

    python tests/bench/judge.py judgements      # 1,000 judgements of a randomly initialised model
    python tests/bench/judge.py backends        # every backend of Outlines against free decoding

A random model is the hardest to hold: it wants none of what the schema asks for. Answers are
sampled. `backends` measures each backend in a process of its own with an empty compile cache; those
whose package is not installed are named and left out (pip install llguidance xgrammar).

The ratio is the time of a decoding step (one token of each of 8 rows, the engine's batch) under the
constraint over that of a step without one. The model has hardly any weights, so this is as bad as
the ratio gets; milliseconds are what a larger model pays as well. Steps and compiling are counted
in processor time, on one thread, as other work on the machine does not change it; the first step in
seconds that pass, as kernels are compiled in other processes. On schema are answers of the tests'
byte-level model, which stop for no reason of their own, within 768 tokens. The large vocabulary has
151,000 made-up tokens: words with and without a space before them, digits, punctuation, Chinese
letters.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))  # the tests' own random models

BACKENDS = ("outlines_core, our mask", "outlines_core", "llguidance", "xgrammar")
ROWS = 50
BATCH = 8
ROUNDS, STEPS = 3, 40
BUDGET = 768
SAMPLES = 200
SMALL, LARGE = 1_000, 151_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["judgements", "backends", "one"])
    parser.add_argument("--count", type=int, default=1_000, help="judgements")
    parser.add_argument("--backend", choices=BACKENDS, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    said = parser.parse_args()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if said.what == "judgements":
        judgements(said.count)
    elif said.what == "backends":
        backends()
    else:
        print(json.dumps(measured(said.backend, said.size)))


# --- 1,000 judgements -------------------------------------------------------------------------


def judgements(count: int) -> None:
    """Items with an `ask` on a dialogue, each decided once, and what became of the answers."""
    import judge_models
    import torch
    from judged import decided, item, question

    from cm2.judge import Answer, Answered, Prompt, PromptedJudge
    from cm2.judge.engines.transformers import load_engine
    from cm2dsl import prompts

    torch.set_num_threads(1)
    given: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        directory = judge_models.save(Path(folder), judge_models.byte_level())
        engine = load_engine(directory, prompts.files(), max_tokens=2048, batch_size=64)

        class Counted:
            identity, control_tokens = engine.identity, engine.control_tokens
            close = engine.close

            async def answer(self, prompt: Prompt) -> Answer:
                answer = await engine.answer(prompt)
                if not isinstance(answer, Answered):
                    given["failed"] += 1
                else:
                    given["on schema" if on_schema(answer.text) else "off schema"] += 1
                return answer

        asks = ["Is reply number {} polite?", "第{}个回答有礼貌吗？"]
        questions = [
            question(item(asks[i % 2].format(i)), turn=(0, 1, None)[i % 3]) for i in range(count)
        ]
        start = time.perf_counter()
        with PromptedJudge(Counted()) as judge:
            decisions = decided(judge, *questions)
            cost = judge.ledger.total
    seconds = time.perf_counter() - start
    verdicts = Counter(decision.verdict.value for decision in decisions)
    print(f"{count} judgements, {sum(given.values())} answers, {seconds:.0f} s")
    print("answers:  " + ", ".join(f"{n} {kind}" for kind, n in given.items()))
    print("verdicts: " + ", ".join(f"{n} {verdict}" for verdict, n in verdicts.items()))
    print(
        f"tokens:   {cost.prompt} of prompts, {cost.cached} of them shared, {cost.output} written"
    )
    if given["off schema"] or sum(verdicts.values()) != count:
        sys.exit("an answer was off the schema")


# --- backends ---------------------------------------------------------------------------------


def backends() -> None:
    from cm2.table import table

    rows = []
    for backend in BACKENDS:
        found = {}
        for size in (SMALL, LARGE):
            with tempfile.TemporaryDirectory() as cache:
                done = subprocess.run(
                    [sys.executable, __file__, "one", "--backend", backend, "--size", str(size)],
                    capture_output=True,
                    text=True,
                    timeout=900,
                    env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache},
                )
            if done.returncode:
                print(f"{backend}: {done.stderr.strip()[-300:]}", file=sys.stderr)
                break
            found[size] = json.loads(done.stdout.splitlines()[-1])
            print(backend, size, found[size], file=sys.stderr)
        if len(found) < 2:
            rows.append([backend, "not measured", "", "", "", "", ""])
            continue
        small, large = found[SMALL], found[LARGE]
        rows.append(
            [
                backend,
                f"{small['valid']}, {small['endless']} did not end",
                *(f"{one['ratio']:.2f} ({one['ms']:+.1f} ms)" for one in (small, large)),
                f"{small['first']:.1f} s",
                *(f"{one['compile']:.2f} s, {one['memory']:.0f} MB" for one in (small, large)),
            ]
        )
    heads = ["backend", f"on schema, of {SAMPLES}", "step, 1k", "step, 151k", "first step"]
    print(table([*heads, "compile, 1k", "compile, 151k"], rows))


def measured(backend: str, size: int) -> dict[str, float]:
    """A backend at a vocabulary: seconds to compile, MB that took, the cost of a step, and more."""
    import judge_models
    import torch

    from cm2.judge.constraint import SeededNoise
    from cm2.judge.model_directory import load_model
    from cm2dsl import prompts

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_model(random_model(Path(folder), size))
    before = peak()
    schema = prompts.files()[prompts.SCHEMA]
    start = time.process_time()
    held = processor(backend, loaded, schema)
    compiled = time.process_time() - start
    memory = peak() - before
    start = time.perf_counter()
    decode(loaded, [held], rows=1, tokens=1)
    first = time.perf_counter() - start
    rounds = []
    for number in range(ROUNDS):
        held.reset()
        noise = SeededNoise(range(number * BATCH, (number + 1) * BATCH))
        constrained = step(lambda noise=noise: decode(loaded, [held, noise], BATCH, STEPS))
        noise = SeededNoise(range(BATCH))
        free = step(lambda noise=noise: decode(loaded, [noise], BATCH, STEPS, endless=True))
        rounds.append((constrained / free, (constrained - free) * 1000))
    rounds.sort()
    written: list[str | None] = []
    if size == SMALL:
        with tempfile.TemporaryDirectory() as folder:
            loaded = load_model(judge_models.save(Path(folder), judge_models.byte_level()))
        held = processor(backend, loaded, schema)
        for begin in range(0, SAMPLES, ROWS):
            held.reset()
            noise = SeededNoise(range(begin, begin + ROWS))
            for ids in decode(loaded, [held, noise], ROWS, BUDGET):
                ended = loaded.end in ids
                written.append(loaded.decode(ids[: ids.index(loaded.end)]) if ended else None)
    valid = sum(text is not None and on_schema(text) for text in written)
    ratio, extra = rounds[len(rounds) // 2]
    return {
        "compile": compiled, "memory": memory, "first": first,
        "ratio": ratio, "ms": extra, "valid": valid, "endless": written.count(None),
    }  # fmt: skip


def on_schema(text: str) -> bool:
    from cm2.judge.reading import OffSchemaError, read

    try:
        read(text)
    except OffSchemaError:
        return False
    return True


def processor(backend: str, loaded: Any, schema: str) -> Any:
    if backend == "outlines_core, our mask":
        from cm2.judge.constraint import compile_schema

        return compile_schema(loaded, schema)
    import outlines
    from outlines.backends import get_json_schema_logits_processor

    model = outlines.from_transformers(loaded.model, loaded.tokenizer)
    return get_json_schema_logits_processor(backend, model, schema)


def decode(
    loaded: Any, processors: Sequence[Any], rows: int, tokens: int, endless: bool = False
) -> list[list[int]]:
    """New ids of rows that all have the same short prompt."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    ids = loaded.tokenizer("Judge this.")["input_ids"]
    with torch.inference_mode():
        output = loaded.model.generate(
            input_ids=torch.tensor([ids] * rows),
            attention_mask=torch.ones((rows, len(ids)), dtype=torch.long),
            generation_config=GenerationConfig(
                max_new_tokens=tokens,
                do_sample=False,
                eos_token_id=None if endless else loaded.end,
                pad_token_id=loaded.pad,
            ),
            logits_processor=LogitsProcessorList(processors),
        )
    new: list[list[int]] = output[:, len(ids) :].tolist()
    return new


def step(work: Callable[[], list[list[int]]]) -> float:
    """Seconds of processor time a step, the prompt's own counted as one."""
    start = time.process_time()
    steps = len(work()[0])
    return (time.process_time() - start) / steps


def peak() -> float:
    """MB that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def random_model(directory: Path, size: int) -> Path:
    import judge_models

    return judge_models.save(directory, vocabulary(size))


def vocabulary(size: int) -> Any:
    """A byte-level tokenizer of this many tokens, made up but for the bytes."""
    from judge_models import CONTROL
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    byte_letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = dict.fromkeys([*CONTROL, *byte_letters])
    own, byte_level = random.Random(0), pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = "etaoinshrdlucmfwypvbgkjqxz"

    def word() -> str:
        return "".join(own.choices(letters, range(26, 0, -1), k=own.randint(2, 9)))

    kinds: list[tuple[float, Callable[[], str]]] = [
        (0.5, lambda: f" {word()}"),
        (0.2, word),
        (0.12, lambda: f" {word().title()}"),
        (0.08, lambda: "".join(chr(own.randint(0x4E00, 0x6FFF)) for _ in range(own.randint(1, 3)))),
        (0.05, lambda: "".join(own.choices("0123456789", k=own.randint(2, 3)))),
        (0.05, lambda: "".join(own.choices(" .,:;!?-_()[]{}\"'\\/*=<>\n", k=own.randint(2, 4)))),
    ]
    shares = [share for share, _ in kinds]
    while len(tokens) < size:
        (_, make) = own.choices(kinds, shares)[0]
        pieces = byte_level.pre_tokenize_str(make())
        tokens["".join(piece for piece, _ in pieces)] = None
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(CONTROL)
    return tokenizer


if __name__ == "__main__":
    main()
