"""Any JSON Schema as a form: what is on the form is on the schema, and every answer ends."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import judge_models
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm2.judge.asking import Asker, Told, open_asker
from cm2.judge.config import Context
from cm2.judge.engine import Failed
from cm2.judge.extent import longest
from cm2.judge.form import FormError, form
from cm2.judge.pattern import bounded
from cm2dsl import prompts

SCHEMAS: list[Any] = [
    True,
    {"type": "object"},
    {"type": ["string", "null"], "minLength": 2},
    {"type": "string", "format": "date"},
    {"type": "string", "pattern": "^[A-Z]{2,}[0-9]+$"},
    {"type": "string", "pattern": "a|bc"},
    {"type": "string", "pattern": "(?=x)y"},
    {"type": "integer", "exclusiveMinimum": 3, "maximum": 9.5},
    {"type": "number", "minimum": 0.5, "maximum": 7},
    {"enum": ["a", 1, None, {"b": [2]}]},
    {"const": {"deep": [1, {"er": True}]}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "minItems": 2},
    {"type": "object", "additionalProperties": {"type": "boolean"}},
    {"type": "object", "required": ["x"]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"type": "object", "properties": {"b": {"$ref": "#/$defs/s"}}, "required": ["b"]},
        ],
        "$defs": {"s": {"enum": ["x", "y"]}},
    },
    {
        "type": "object",
        "properties": {
            "v": {"type": "integer"},
            "next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]},
        },
        "required": ["v"],
    },
    {
        "oneOf": [
            {"type": "object", "properties": {"ok": {"const": True}}, "required": ["ok"]},
            {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]},
        ]
    },
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_models.save(tmp_path_factory.mktemp("model"), judge_models.byte_level())


def open_at(directory: Path, **settings: Any) -> Asker:
    said = {"engine": "transformers", "model": str(directory), "batch": 32}
    return open_asker(said | settings, Context(prompts.files()))


def asked(asker: Asker, wanted: list[tuple[Any, int]], max_tokens: int) -> list[Told | Failed]:
    """One answer a (schema, seed), all at once."""
    import asyncio

    async def all_() -> list[Told | Failed]:
        forms = {json.dumps(s): form("f", s, max_tokens=max_tokens) for s, _ in wanted}
        work = [
            asker.ask("Answer.", f"{n}", forms[json.dumps(schema)], item="t", seed=seed)
            for n, (schema, seed) in enumerate(wanted)
        ]
        found = list(await asyncio.gather(*work))
        await asker.close()
        return found

    return asyncio.run(all_())


def test_every_answer_of_a_model_of_random_weights_ends_and_is_on_the_schema(
    directory: Path,
) -> None:
    wanted = [(schema, seed) for schema in SCHEMAS for seed in range(4)]
    asker = open_at(directory)
    for (schema, _), told in zip(wanted, asked(asker, wanted, 1024), strict=True):
        assert isinstance(told, Told), (schema, told)
        if schema != {"type": "string", "pattern": "(?=x)y"}:  # free text: nobody can hold to it
            jsonschema.validate(told.value, schema)
    assert asker.ledger.total.calls == len(wanted)


def test_forms_of_many_schemas_share_a_batch_and_what_each_is_answered_is_its_own(
    directory: Path,
) -> None:
    wanted = [(schema, 7) for schema in SCHEMAS]
    together = asked(open_at(directory), wanted, 512)
    alone = asked(open_at(directory, batch=1), wanted, 512)
    texts = [
        [told.text for told in answers if isinstance(told, Told)] for answers in (together, alone)
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("make", [judge_models.sentencepiece_like, judge_models.letters])
def test_forms_hold_whatever_make_the_tokenizer_is_of(make: Any, tmp_path: Path) -> None:
    asker = open_at(judge_models.save(tmp_path, make()))
    wanted = [({"enum": ["abc", "xyz"]}, 1), ({"type": "integer"}, 2)]
    told = [one.value for one in asked(asker, wanted, 64) if isinstance(one, Told)]
    assert told[0] in ("abc", "xyz")
    assert isinstance(told[1], int)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (False, "nothing that ends is on the schema"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "nothing that"),
        ({"$ref": "#/$defs/none"}, "refers to `#/$defs/none`, which is not in it"),
        ({"$ref": "https://example.org/s"}, "refers to `https://example.org/s`"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "nothing that ends"),
    ],
)
def test_a_schema_that_nothing_can_be_held_to_is_told(schema: Any, says: str) -> None:
    with pytest.raises(FormError, match=says.replace("$", r"\$").replace(".", r"\.")):
        form("f", schema)


@pytest.mark.parametrize(("room", "letters"), [(4096, 200), (200, 20)])
def test_texts_are_as_long_as_the_longest_answer_has_room_for(room: int, letters: int) -> None:
    wide = {f"k{n}": {"type": "string"} for n in range(6)}
    written = json.loads(form("f", {"type": "object", "properties": wide}, max_tokens=room).schema)
    assert f"{{0,{letters}}}" in written["properties"]["k0"]["pattern"]
    assert longest(written) <= max(room, 300)


def test_a_pattern_with_bounds_of_its_own_stays_as_it_is_in_any_room() -> None:
    pattern = '^[^"\\\\\\x00-\\x1f]{1,600}$'
    many = {"type": "object", "properties": {f"k{n}": {"type": "string"} for n in range(9)}}
    many["properties"]["say"] = {"type": "string", "pattern": pattern}
    written = json.loads(form("f", many, max_tokens=1000).schema)
    assert written["properties"]["say"]["pattern"] == pattern


@given(st.from_regex(r"[abx*+?.|()\[\]^$\\d{},0-9]{1,12}", fullmatch=True))
@settings(deadline=None)
def test_a_bounded_pattern_matches_nothing_that_the_pattern_does_not(pattern: str) -> None:
    import re
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            given_ = re.compile(pattern)
        except re.error:
            return
        whole = bounded(pattern, 6)
        if whole is None:
            return
        draw = random.Random(0)
        texts = ["".join(draw.choices("abx1.d|", k=draw.randint(0, 6))) for _ in range(200)]
        for text in texts:
            if re.fullmatch(whole[1:-1], text):
                assert given_.search(text), (whole, text)


@pytest.mark.parametrize("kinds", [4, 12])
def test_kinds_that_are_made_of_each_other_are_written_out_as_far_as_that_is_reasonable(
    kinds: int,
) -> None:
    names = [f"n{n}" for n in range(kinds)]
    one = {
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
    }
    schema = {"$ref": "#/$defs/n0", "$defs": dict.fromkeys(names, one)}
    assert len(form("f", schema).schema) < 500_000


PARTS = st.deferred(
    lambda: st.one_of(
        st.sampled_from(
            [
                {"type": "string"},
                {"type": "integer"},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "null"},
                {"enum": ["x", "y"]},
                True,
            ]
        ),
        st.builds(lambda items: {"type": "array", "items": items}, PARTS),
        st.builds(
            lambda keys: {"type": "object", "properties": keys, "required": list(keys)[:1]},
            st.dictionaries(st.sampled_from("abcd"), PARTS, max_size=3),
        ),
        st.builds(lambda one, two: {"anyOf": [one, two]}, PARTS, PARTS),
    )
)


@given(PARTS)
@settings(deadline=None, max_examples=60)
def test_a_form_of_a_form_is_the_form(schema: Any) -> None:
    once = form("f", schema, max_tokens=4096)
    assert form("f", json.loads(once.schema), max_tokens=4096) == once
