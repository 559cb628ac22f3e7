"""The engine for OpenAI-compatible servers: what it asks for, and what it makes of what comes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from judge_server import (
    ON_SCHEMA,
    Request,
    Response,
    Server,
    completion,
    refusing_port,
    saying,
)
from judged import decided, item, question, spec, verdict

from cm2.judge import Context, EngineError, Judge, JudgeLoadError, Prompt, open_judge
from cm2.judge.config import PromptedJudge
from cm2.judge.endpoint.control_tokens import WELL_KNOWN
from cm2.judge.endpoint.reply import Reply, read_reply, retry_after
from cm2.judge.endpoint.request import Requests
from cm2.judge.endpoint.servers import FIRST_REST, LONGEST_REST, Servers
from cm2.judge.endpoint.structured import bounded, in_strict_words
from cm2.judge.engine import Answered, Failed, Usage
from cm2.judge.reading import OffSchemaError, read
from cm2dsl import prompts
from cm2dsl.reward.verdict import Decision, Verdict

SCHEMA = json.loads(prompts.files()[prompts.SCHEMA])
PASS = verdict("pass", ("t0.s1.reply", "MU5101 departs at 08:00"))
KEY = "sk-very-secret-0123456789"


def judge_at(*urls: str, **settings: Any) -> Judge:
    said = {"engine": "openai", "model": "m", "urls": list(urls), "backoff": 0.0, "deadline": 5.0}
    return open_judge(said | settings, Context(prompts.files()))


def asked(server: Server, **settings: Any) -> Decision:
    """The decision on one question that a server is asked."""
    with judge_at(server.url, **settings) as judge:
        (decision,) = decided(judge, question())
    return decision


def replies(*responses: Response) -> Callable[[Request], Response]:
    """One after the other; the last one from then on."""
    left = list(responses)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


# --- what is asked ----------------------------------------------------------------------------


def body_of(structured: str, seed: int | None = None, **settings: Any) -> dict[str, Any]:
    requests = Requests("m", {"verdict": SCHEMA}, structured, 2048, **settings)  # type: ignore[arg-type]
    return requests.body(Prompt("system", "user", seed), logprobs=True)


def test_every_server_is_asked_for_the_schema_in_its_own_words() -> None:
    assert body_of("json_schema")["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "cm2_verdict", "schema": SCHEMA, "strict": True},
    }
    assert body_of("json_object")["response_format"] == {"type": "json_object", "schema": SCHEMA}
    vllm = body_of("structured_outputs")
    assert vllm["structured_outputs"] == {"json": SCHEMA}
    assert "response_format" not in vllm
    assert body_of("strict")["response_format"]["json_schema"]["strict"] is True


def test_one_answer_is_greedy_and_votes_are_sampled_with_seeds_that_servers_take() -> None:
    greedy = body_of("json_schema")
    assert (greedy["temperature"], greedy["seed"]) == (0.0, 0)
    sampled = body_of("json_schema", (1 << 63) - 25, temperature=0.7, top_p=0.9)
    assert (sampled["temperature"], sampled["top_p"]) == (0.7, 0.9)
    assert sampled["seed"] == (1 << 31) - 25


def test_what_a_server_refuses_is_left_out_and_what_it_needs_is_added() -> None:
    thinking = {"chat_template_kwargs": {"enable_thinking": False}}
    body = body_of("json_schema", leave_out=["temperature", "seed"], extra=thinking)
    assert not {"temperature", "seed"} & body.keys()
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    whole = body_of("json_schema", system_role=False)
    assert whole["messages"] == [{"role": "user", "content": "system\n\nuser"}]
    hosted = body_of("strict")
    assert (hosted["max_completion_tokens"], "max_tokens" in hosted) == (2048, False)


def test_strict_words_hold_no_keyword_that_hosts_refuse_and_every_object_is_closed() -> None:
    def walk(schema: Any) -> None:
        assert not {"pattern", "maxItems", "minLength", "maxLength"} & schema.keys()
        assert "type" in schema
        if schema["type"] == "object":
            assert schema["additionalProperties"] is False
            assert sorted(schema["required"]) == sorted(schema["properties"])
            for part in schema["properties"].values():
                walk(part)
        if schema["type"] == "array":
            walk(schema["items"])

    for name in (prompts.SCHEMA, prompts.DATED_SCHEMA):
        walk(in_strict_words(json.loads(prompts.files()[name])))


def test_an_answer_under_strict_words_is_cut_to_what_the_schema_allows() -> None:
    said = {
        "evidence": [{"segment": "t0.user", "quote": 'He said "no\\yes"\n' + "x" * 200}] * 5,
        "reason": "r" * 500,
        "verdict": "fail",
    }
    cut = bounded(json.dumps(said), SCHEMA)
    reading = read(cut)
    jsonschema.validate(json.loads(cut), SCHEMA)
    assert len(reading.evidence) == 3
    assert reading.evidence[0].quote.startswith("He said 'no yes' x")
    for text in ("", "no json", '{"evidence": 1}', "[[{}]]", '"x"'):
        bounded(text, SCHEMA)  # whatever it is, it is read afterwards
    assert read(bounded(PASS, SCHEMA)) == read(PASS)


def test_a_lane_keeps_its_server_and_lanes_are_spread() -> None:
    urls = [f"http://h{i}/v1" for i in range(4)]
    servers = Servers(urls)
    first = [servers.of(f"lane {i}") for i in range(400)]
    assert first == [Servers(urls[::-1]).of(f"lane {i}") for i in range(400)]
    assert all(60 < first.count(url) < 140 for url in urls)


def test_only_lanes_of_a_server_that_is_down_move_and_they_come_back() -> None:
    now = 0.0
    urls = [f"http://h{i}/v1" for i in range(4)]
    servers = Servers(urls, clock=lambda: now)
    lanes = [f"lane {i}" for i in range(100)]
    before = [servers.of(lane) for lane in lanes]
    for _ in range(30):  # thirty requests find out at once
        servers.down(urls[0])
    moved = [servers.of(lane) for lane in lanes]
    assert all(b == m for b, m in zip(before, moved, strict=True) if b != urls[0])
    assert urls[0] not in moved
    now = FIRST_REST
    assert [servers.of(lane) for lane in lanes] == before
    for _ in range(10):
        servers.down(urls[0])
        rested = now
        while servers.of(lanes[before.index(urls[0])]) != urls[0]:
            now += 1.0
        assert now - rested <= LONGEST_REST
    servers.up(urls[0])
    assert [servers.of(lane) for lane in lanes] == before
    for url in urls:
        servers.down(url)
    assert not servers.any_up()
    assert [servers.of(lane) for lane in lanes] == before


def test_all_items_of_a_turn_go_to_one_server() -> None:
    with (
        Server(lambda _: ON_SCHEMA) as one,
        Server(lambda _: ON_SCHEMA) as two,
        judge_at(one.url, two.url) as judge,
    ):
        for turn in (0, 1):
            before = len(one.requests), len(two.requests)
            decided(judge, *(question(item(f"Is it {i}?"), turn=turn) for i in range(6)))
            after = len(one.requests), len(two.requests)
            assert {a - b for a, b in zip(after, before, strict=True)} == {0, 6}


# --- what comes back --------------------------------------------------------------------------


def test_an_answer_comes_with_what_it_cost() -> None:
    with Server(lambda _: saying(PASS)) as server, judge_at(server.url) as judge:
        (decision,) = decided(judge, question())
        assert decision.verdict is Verdict.PASS
        total = judge.ledger.total
        assert (total.calls, total.prompt, total.cached, total.output) == (1, 100, 60, 20)
        assert total.seconds > 0


def completed(**said: Any) -> Any:
    body = json.dumps(completion(PASS) | said).encode()
    return read_reply(Reply("http://h/v1", 200, {}, body, 0.5))


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"usage": None}, Usage(None, None, None, 0.5)),
        ({"usage": {"prompt_tokens": 7}}, Usage(7, None, None, 0.5)),
        (
            {"usage": {"prompt_tokens": 7, "prompt_cache_hit_tokens": 5, "completion_tokens": 2}},
            Usage(7, 5, 2, 0.5),
        ),
        (
            {
                "usage": {"prompt_tokens": 7, "prompt_tokens_details": None},
                "timings": {"cache_n": 3},
            },
            Usage(7, 3, None, 0.5),
        ),
    ],
)
def test_cached_tokens_are_read_in_every_servers_words(said: Any, usage: Usage) -> None:
    assert completed(**said) == Answered(PASS, usage)


def choice(text: str | None = PASS, finish: str | None = "stop", **message: Any) -> Any:
    said = {"content": text} | message
    return completed(choices=[{"message": said, "finish_reason": finish}])


@pytest.mark.parametrize(
    ("answer", "trouble", "again"),
    [
        (choice('{"evi', "length"), "truncated", False),
        (choice(None, refusal="I cannot help with that"), "rejected", False),
        (choice("", "content_filter"), "rejected", False),
        (choice("{", "abort"), "outage", True),
        (completed(choices=[]), "outage", True),
        (completed(choices="no"), "outage", True),
    ],
)
def test_an_answer_that_is_none_is_a_failure_with_its_cause(
    answer: Any, trouble: str, again: bool
) -> None:
    assert isinstance(answer, Failed)
    assert (answer.trouble, answer.again) == (trouble, again)


def saying_none(finish: str = "stop") -> Response:
    return Response(body=completion(None, finish))


@pytest.mark.parametrize("none", [saying_none(), saying_none("tool_calls"), saying("")])
def test_an_answer_without_a_text_is_off_the_schema_and_tried_again(none: Any) -> None:
    with Server(replies(none, saying(PASS))) as server:
        assert asked(server).verdict is Verdict.PASS
    with Server(replies(none)) as server:
        decision = asked(server, tries=2)
    assert decision.verdict is Verdict.ERROR
    assert "the answer is empty" in (decision.reason or "")
    with Server(replies(none)) as server, pytest.raises(EngineError, match="first 5 answers"):
        asked(server, tries=6)


def test_bad_counts_and_probabilities_do_not_spoil_an_answer() -> None:
    answer = completed(usage={"prompt_tokens": "many"}, timings=[])
    assert isinstance(answer, Answered)
    assert answer.usage.prompt is None
    parts = [{"type": "text", "text": PASS[:9]}, {"type": "text", "text": PASS[9:]}]
    joined = choice(parts)
    assert isinstance(joined, Answered)
    assert joined.text == PASS
    place = {"token": PASS, "logprob": float("nan"), "top_logprobs": []}
    said = completion(PASS)
    said["choices"][0]["logprobs"] = {"content": [place]}
    body = json.dumps(said).encode()
    assert b"NaN" in body
    nan = read_reply(Reply("http://h/v1", 200, {}, body, 0.5))
    assert isinstance(nan, Answered)
    assert (nan.text, nan.confidence) == (PASS, None)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": {"message": "the worker died"}}, "answered 200 with an error: the worker died"),
        ({"error": "no slot", "choices": []}, "gave no choice: no slot"),
        ({"choices": []}, "gave no choice"),
        ([], "no chat completion"),
    ],
)
def test_what_a_server_says_in_a_response_without_an_answer_is_shown(body: Any, says: str) -> None:
    failed = read_reply(Reply("http://h/v1", 200, {}, json.dumps(body).encode(), 0.5))
    assert isinstance(failed, Failed)
    assert says in failed.cause


def test_a_key_that_an_answer_gives_twice_is_named() -> None:
    with pytest.raises(OffSchemaError, match=r"^the answer gives the key `verdict` twice$"):
        read('{"verdict": "pass", "verdict": "fail"}')


def proxied(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_no_proxy_and_no_certificates_are_asked_for_on_the_way_to_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = f"http://127.0.0.1:{refusing_port()}"
    proxied(monkeypatch, HTTP_PROXY=nowhere, ALL_PROXY="socks5://h:1", SSL_CERT_FILE="/nowhere")
    with Server(lambda _: saying(PASS)) as server:
        assert asked(server).verdict is Verdict.PASS


def test_this_machine_is_reached_without_the_proxy_that_other_servers_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = f"http://me:pw@127.0.0.1:{refusing_port()}"
    proxied(monkeypatch, HTTP_PROXY=nowhere)
    with Server(lambda _: saying(PASS)) as server:
        urls = [server.url, "http://judge.invalid/v1"]
        with judge_at(*urls, tries=3) as judge:
            (decision,) = decided(judge, question())
    assert decision.verdict is Verdict.PASS


def test_a_proxy_that_takes_no_connection_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = refusing_port()
    proxied(monkeypatch, HTTP_PROXY=f"http://me:{KEY}@127.0.0.1:{port}")
    with (
        judge_at("http://judge.invalid/v1", tries=1) as judge,
        pytest.raises(EngineError, match=f"environment's proxy http://127.0.0.1:{port}") as error,
    ):
        decided(judge, question())
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HTTP_PROXY", "gopher://h:1", "HTTP_PROXY"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem", "SSL_CERT_FILE"),
    ],
)
def test_an_environment_that_no_client_can_use_is_a_message(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    proxied(monkeypatch, **{name: value})
    with pytest.raises(JudgeLoadError, match=says):
        judge_at("http://judge.invalid/v1")


def test_a_socks_proxy_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    proxied(monkeypatch, ALL_PROXY="socks5://h:1")
    with pytest.raises(JudgeLoadError, match=r"httpx\[socks\]"):
        judge_at("http://judge.invalid/v1")


TOO_LONG = [
    (400, "This model's maximum context length is 8192 tokens. However, you requested 9000."),
    (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
    (400, "Requested token count exceeds the model's maximum context length of 8192 tokens."),
    (400, "request (9412 tokens) exceeds the available context size (8192 tokens)"),
    (500, "Requested tokens (9000) exceed context window of 8192"),
    (413, "prompt is too long: 210000 tokens > 200000 maximum"),
    (400, "Please reduce the length of the messages or completion."),
    (400, "Input length 131393 exceeds the maximum allowed input length of 131040 tokens."),
]


@pytest.mark.parametrize(("status", "message"), TOO_LONG)
def test_a_prompt_that_does_not_fit_is_known_by_what_each_server_says(
    status: int, message: str
) -> None:
    for body in ({"error": {"message": message}}, {"object": "error", "message": message}):
        answer = read_reply(Reply("http://h/v1", status, {}, json.dumps(body).encode(), 0.0))
        assert isinstance(answer, Failed)
        assert (answer.trouble, answer.again) == ("too_long", False)
        assert message in answer.cause


@pytest.mark.parametrize(
    ("status", "trouble", "again"),
    [
        (400, "rejected", False),
        (422, "rejected", False),
        (408, "timeout", True),
        (409, "outage", True),
        (425, "outage", True),
        (429, "limited", True),
        (500, "outage", True),
        (503, "outage", True),
        (504, "timeout", True),
        (529, "outage", True),
    ],
)
def test_a_status_says_whether_it_helps_to_ask_again(
    status: int, trouble: str, again: bool
) -> None:
    for body in (b'{"error": {"message": "no"}}', b"<html><b>no</b></html>", b"no", b"\xff", b""):
        answer = read_reply(Reply("http://h/v1", status, {"retry-after": "2"}, body, 0.0))
        assert isinstance(answer, Failed)
        assert (answer.trouble, answer.again) == (trouble, again)
        assert answer.wait == (2.0 if again else None)
        assert answer.cause.startswith(f"http://h/v1 answered {status}")


@pytest.mark.parametrize(
    ("status", "body", "help"),
    [
        (401, {"error": {"message": "Incorrect API key"}}, "key_env"),
        (403, {"error": "forbidden"}, "key_env"),
        (404, {"error": {"message": "The model `m` does not exist."}}, "`model`"),
        (400, {"error": {"code": "model_not_found", "message": "no"}}, "`model`"),
        (404, {"detail": "Not Found"}, "`urls`"),
        (301, "", "`urls`"),
        (402, {"error": {"message": "no credit"}}, "account"),
        (429, {"error": {"code": "insufficient_quota", "message": "no"}}, "account"),
    ],
)
def test_a_server_that_will_answer_nothing_ends_the_run_and_says_what_to_do(
    status: int, body: Any, help: str
) -> None:
    with Server(lambda _: Response(status, body)) as server, pytest.raises(EngineError) as error:
        asked(server)
    assert len(server.requests) == 1
    assert str(status) in error.value.message
    assert help in error.value.help


def test_how_long_to_wait_is_read_in_seconds_in_milliseconds_and_as_a_date() -> None:
    now = 1_800_000_000.0
    later = formatdate(now + 90, usegmt=True)
    assert retry_after({"retry-after": "7"}, now) == 7.0
    assert retry_after({"retry-after": " 1.5 "}, now) == 1.5
    assert retry_after({"retry-after-ms": "250", "retry-after": "7"}, now) == 0.25
    assert retry_after({"retry-after": later}, now) == 90.0
    its_own = {"retry-after": later, "date": formatdate(now + 60, usegmt=True)}
    assert retry_after(its_own, now) == 30.0  # its clock is a minute ahead of ours
    assert retry_after({"retry-after": formatdate(now - 5, usegmt=True)}, now) == 0.0
    assert retry_after({"retry-after": "-3"}, now) == 0.0
    for odd in ("soon", "1.2.3", "", "Fri, 99 Foo 2026"):
        assert retry_after({"retry-after": odd}, now) is None
    assert retry_after({}, now) is None


def test_a_response_without_end_is_given_up() -> None:
    huge = "x" * (17 << 20)
    with Server(replies(saying(huge), saying(PASS))) as server:
        decision = asked(server)
    assert decision.verdict is Verdict.ERROR
    assert "sends more than" in decision.reason


# --- confidence -------------------------------------------------------------------------------


def tokens(*said: tuple[str, float, dict[str, float]]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": token,
                "logprob": logprob,
                "bytes": list(token.encode()),
                "top_logprobs": [
                    {"token": other, "logprob": odds, "bytes": list(other.encode())}
                    for other, odds in {token: logprob, **others}.items()
                ],
            }
            for token, logprob, others in said
        ]
    }


def confidence_of(*said: tuple[str, float, dict[str, float]]) -> float | None:
    text = "".join(token for token, _, _ in said)
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": tokens(*said)}
    answer = completed(choices=[choice])
    assert isinstance(answer, Answered)
    return answer.confidence


LOG = {0.6: -0.5108256237659907, 0.2: -1.6094379124341003, 0.1: -2.3025850929940455}
BEFORE = ('{"evidence": [], "reason": "pass or fail", "verdict":', 0.0, {})


@pytest.mark.parametrize(
    "rest",
    [
        [(' "', 0.0, {}), ("pass", LOG[0.6], {"fail": LOG[0.2], "ins": LOG[0.2]}), ('"}', 0.0, {})],
        [(' "pass"}', LOG[0.6], {' "fail': LOG[0.2], ' "insufficient"': LOG[0.2]})],
        [(' "', 0.0, {}), ("p", LOG[0.6], {"f": LOG[0.2], "i": LOG[0.2]}), ('ass"}', 0.0, {})],
        # what the schema does not allow there does not count
        [(' "', 0.0, {}), ("pass", LOG[0.6], {"fail": LOG[0.2], "in": LOG[0.2], "maybe": -0.1})],
        # a token that only reaches the quote, and an upper case one, begin none
        [(' "pass', LOG[0.6], {' "f': LOG[0.2], ' "i': LOG[0.2], ' "': -0.2, ' "Pass': -0.2})],
        # two ways to begin one verdict are added up
        [
            (' "', 0.0, {}),
            ("pass", -0.916290731874155, {"p": LOG[0.2], "f": LOG[0.2], "i": LOG[0.2]}),
        ],
    ],
)
def test_confidence_is_the_share_of_the_verdicts_first_token_among_the_three(rest: Any) -> None:
    end = [] if rest[-1][0].endswith('"}') else [('"}', 0.0, {})]
    assert confidence_of(BEFORE, *rest, *end) == pytest.approx(0.6)


def test_a_verdict_that_is_not_reported_counts_as_the_least_that_is() -> None:
    sure = [(' "', 0.0, {}), ("pass", -0.001, {" pass": -8.0, "PASS": -9.0}), ('"}', 0.0, {})]
    assert confidence_of(BEFORE, *sure) == pytest.approx(1.0, abs=1e-3)
    forced = [(' "', 0.0, {}), ("pass", -7.0, {"Yes": -0.1, "The": -3.0}), ('"}', 0.0, {})]
    found = confidence_of(BEFORE, *forced)  # the grammar made it write what it would not
    assert found is not None
    assert found < 0.5
    alone = [(' "', 0.0, {}), ("pass", -0.1, {}), ('"}', 0.0, {})]
    bare = [{**dict(tokens(one)["content"][0]), "top_logprobs": []} for one in [BEFORE, *alone]]
    text = "".join(one["token"] for one in bare)
    said = {"message": {"content": text}, "finish_reason": "stop", "logprobs": {"content": bare}}
    answer = completed(choices=[said])
    assert isinstance(answer, Answered)
    assert answer.confidence == pytest.approx(0.3, abs=0.02)  # nothing is known of the others


def test_where_no_probabilities_come_there_is_no_confidence_and_the_answer_stands() -> None:
    plain = {"message": {"content": PASS}, "finish_reason": "stop"}
    for logprobs in (None, {}, {"content": None}, {"content": []}, {"content": [{"token": 1}]}, 7):
        answer = completed(choices=[plain | {"logprobs": logprobs}])
        assert answer == Answered(PASS, Usage(100, 60, 20, 0.5), None)


def test_a_server_that_gives_no_probabilities_is_not_asked_for_them_twice() -> None:
    def reply(request: Request) -> Response:
        if "logprobs" in request.body:
            return Response(500, {"error": {"message": "logprobs is not supported"}})
        return ON_SCHEMA

    with Server(reply, probe=reply) as server:
        assert asked(server).verdict is Verdict.INSUFFICIENT
    assert ["logprobs" in request.body for request in server.probes] == [True, False]
    assert ["logprobs" in request.body for request in server.requests] == [False]


# --- a server that ignores the schema ---------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "Hello!", '{"answer": "hello"}', "", "{}"])
def test_a_server_that_ignores_the_schema_is_named_before_anything_is_asked(text: str) -> None:
    with Server(lambda _: saying(PASS), probe=lambda _: saying(text)) as server:
        with pytest.raises(EngineError) as error:
            asked(server)
        assert f"`{server.url}` does not hold its answers to the schema" in error.value.message
        assert "structured" in error.value.help
        assert server.requests == []  # also not one of the good answers that it would give


def test_all_who_ask_at_once_wait_for_one_probe() -> None:
    slow = Response(body=completion("hello"), delay=0.2)
    with Server(lambda _: saying(PASS), probe=lambda _: slow) as server:
        with judge_at(server.url) as judge:
            questions = [question(item(f"Is it {i}?")) for i in range(20)]

            async def all_() -> list[Any]:
                every = (judge.decide(one) for one in questions)
                return list(await asyncio.gather(*every, return_exceptions=True))

            found = judge.run(all_())
        assert [type(one) for one in found] == [EngineError] * 20
        assert (len(server.probes), server.requests) == (1, [])


def test_a_probe_that_did_not_end_shows_by_its_beginning_whether_the_schema_holds() -> None:
    begun = saying('{ "evidence": [{"segm', finish="length")
    chatter = saying("Sure! Here is the word you", finish="length")
    with Server(lambda _: saying(PASS), probe=lambda _: begun) as server:
        assert asked(server).verdict is Verdict.PASS
    other = Server(lambda _: saying(PASS), probe=lambda _: chatter)
    with other, pytest.raises(EngineError, match="does not hold"):
        asked(other)


def test_a_request_that_the_server_does_not_take_is_found_by_the_probe() -> None:
    no = Response(400, {"error": {"message": "unknown field `response_format`"}})
    server = Server(lambda _: no, probe=lambda _: no)
    with server, pytest.raises(EngineError, match="refuses the judge's requests") as error:
        asked(server)
    assert "structured" in error.value.help
    assert (len(server.probes), len(server.requests)) == (1, 0)


def test_a_fault_of_the_probe_is_tried_again_and_fails_no_question() -> None:
    faults = [Response(0), Response(500), Response(429, headers={"retry-after": "0"})]
    server = Server(lambda _: saying(PASS), probe=replies(*faults, ON_SCHEMA))
    with server, judge_at(server.url) as judge:
        found = decided(judge, *(question(item(f"Is it {i}?")) for i in range(8)))
        assert [one.verdict for one in found] == [Verdict.PASS] * 8
        assert judge.ledger.total.retries == 0
    assert len(server.probes) == 4


# --- servers that are not there ---------------------------------------------------------------


def test_where_no_server_was_ever_there_the_run_ends_and_names_it() -> None:
    url = f"http://127.0.0.1:{refusing_port()}/v1"
    with (
        judge_at(url) as judge,
        pytest.raises(EngineError, match="no server answers a request") as error,
    ):
        decided(judge, question())
    assert url in error.value.message


def test_a_server_that_fails_every_probe_ends_the_run_where_it_is_the_only_one() -> None:
    broken = Response(500, {"error": {"message": "Input should be 'text' or 'json_object'"}})
    with Server(lambda _: saying(PASS), probe=lambda _: broken) as server:
        with pytest.raises(EngineError, match="Input should be") as error:
            asked(server)
        assert "structured" in error.value.help
        assert (len(server.probes), server.requests) == (4, [])
        with Server(lambda _: saying(PASS)) as good, judge_at(server.url, good.url) as judge:
            found = decided(judge, *(question(item(f"Is it {i}?"), turn=i % 2) for i in range(8)))
            assert Verdict.ERROR not in {one.verdict for one in found}
        assert server.requests == []


def test_a_server_that_is_down_leaves_its_lanes_to_another_without_a_wait() -> None:
    down = f"http://127.0.0.1:{refusing_port()}/v1"
    server = Server(lambda _: saying(PASS))
    with server, judge_at(down, server.url, backoff=30.0, tries=2) as judge:
        judged = decided(judge, *(question(turn=turn) for turn in (0, 1, None)))
        assert {one.verdict for one in judged} <= {Verdict.PASS, Verdict.INSUFFICIENT}
    assert len(server.requests) >= 3


def test_a_server_that_goes_away_during_a_run_is_an_error_of_what_is_asked_then() -> None:
    with Server(lambda _: saying(PASS)) as server, judge_at(server.url) as judge:
        (first,) = decided(judge, question())
        server.close()
        (second,) = decided(judge, question(turn=None))
        assert (first.verdict, second.verdict) == (Verdict.PASS, Verdict.ERROR)
        assert "takes no connection" in second.reason
        assert judge.ledger.total.troubles["refused"] == 4


def test_connections_are_kept_and_no_more_than_the_places() -> None:
    slow = Response(body=completion(PASS), delay=0.02)
    with Server(lambda _: slow) as server, judge_at(server.url, concurrency=4) as judge:
        decided(judge, *(question(item(f"Is it {i}?")) for i in range(40)))
        assert server.most == 4


# --- keys -------------------------------------------------------------------------------------


def test_the_key_is_sent_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)
    caplog.set_level("DEBUG")
    echo = Response(400, {"error": {"message": f"Bearer {KEY} may not do this"}})
    with Server(lambda _: echo) as server:
        with judge_at(server.url, key_env="JUDGE_KEY") as judge:
            (decision,) = decided(judge, question())
            assert isinstance(judge, PromptedJudge)
            assert KEY not in repr(judge.ledger)
            assert KEY not in judge._engine.identity
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "Bearer [key] may not do this" in decision.reason
    assert KEY not in caplog.text
    wrong = Response(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    with Server(lambda _: wrong) as server, pytest.raises(EngineError) as error:
        asked(server, key_env="JUDGE_KEY")
    assert KEY not in str(error.value)


@pytest.mark.parametrize("name", ["key", "api_key", "apikey", "token", "authorization", "secret"])
@pytest.mark.parametrize("depth", [0, 1])
def test_a_key_in_the_settings_is_refused_and_not_shown(name: str, depth: int) -> None:
    said: dict[str, Any] = {name: KEY} if not depth else {"extra": {"more": [{name: KEY}]}}
    with pytest.raises(JudgeLoadError, match="key_env") as error:
        judge_at("http://h/v1", **said)
    assert KEY not in str(error.value)


@pytest.mark.parametrize("value", [KEY, "hf_secretsecretsecret", ""])
def test_a_key_in_place_of_a_variables_name_is_not_shown(value: str) -> None:
    with pytest.raises(JudgeLoadError, match="name of an environment variable") as error:
        judge_at("http://h/v1", key_env=value)
    assert not value or value not in str(error.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(JudgeLoadError, match="`JUDGE_KEY`, which `key_env` names, is not set"):
        judge_at("http://h/v1", key_env="JUDGE_KEY")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:8000/v1", "no base URL"),
        ("ftp://h/v1", "no base URL"),
        ("http://", "no base URL"),
        ("http://127.0.0.1:99999/v1", "no base URL"),
        ("http://[::bad/v1", "no base URL"),
        ("http://:8000/v1", "no base URL"),
        (f"https://me:{KEY}@h/v1", "no user, password or query"),
        (f"https://h/v1?api-key={KEY}", "no user, password or query"),
    ],
)
def test_a_url_that_is_none_or_holds_a_secret_is_refused(url: str, says: str) -> None:
    with pytest.raises(JudgeLoadError, match=says) as error:
        judge_at(url)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"urls": []}, "urls"),
        ({"structured": "guided_json"}, "`structured`: "),
        ({"temperature": 0}, "temperature"),
        ({"extra": {"model": "x"}}, "cannot set `model`"),
        ({"leave_out": ["messages"]}, "cannot name `messages`"),
        ({"leave_out": ["temprature"]}, "cannot name `temprature`"),
        ({"tokenizer": "nowhere"}, "no directory"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(JudgeLoadError, match=says):
        judge_at("http://h/v1", **settings)


def test_answers_of_one_model_are_told_apart_by_all_that_shapes_them_and_not_by_the_server() -> (
    None
):
    def identity(*urls: str, **settings: Any) -> str:
        judge = judge_at(*(urls or ["http://h/v1"]), **settings)
        assert isinstance(judge, PromptedJudge)
        with judge:
            return judge._engine.identity

    base = identity()
    assert identity("http://other/v1", "http://third/v1") == base
    changes: Sequence[dict[str, Any]] = [
        {"model": "n"},
        {"revision": "2"},
        {"max_tokens": 99},
        {"structured": "strict"},
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"system_role": False},
        {"extra": {"top_k": 3}},
        {"leave_out": ["seed"]},
    ]
    assert len({base, *(identity(**change) for change in changes)}) == len(changes) + 1


# --- control tokens ---------------------------------------------------------------------------


def test_control_tokens_of_every_well_known_family_are_broken_up() -> None:
    said = "Hi <|im_end|> <|eot_id|> [INST] <end_of_turn> <｜User｜> <|start|> <|channel|> </s> end"
    with Server(lambda _: saying(PASS)) as server, judge_at(server.url) as judge:
        decided(judge, question(item(said)))
    shown = server.requests[0].user
    assert "Hi " in shown
    for token in said.split()[1:-1]:
        assert token in WELL_KNOWN
        assert token not in shown


def test_a_tokenizers_own_list_is_read_from_its_directory(tmp_path: Path) -> None:
    added = [{"id": 1, "content": "<|go|>", "special": True}, {"id": 2, "content": "  "}]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added, "model": {}}))
    config = {
        "added_tokens_decoder": {"3": {"content": "<|stop|>"}},
        "bos_token": "<bos!>",
        "eos_token": {"content": "<eos!>"},
        "additional_special_tokens": ["<more>"],
        "chat_template": "no token",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    judge = judge_at("http://h/v1", tokenizer=str(tmp_path))
    assert isinstance(judge, PromptedJudge)
    with judge:
        found = judge._engine.control_tokens
    assert found == ("<bos!>", "<eos!>", "<more>", "<|go|>", "<|stop|>")
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(JudgeLoadError, match="cannot read"):
        judge_at("http://h/v1", tokenizer=str(tmp_path))
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(JudgeLoadError, match="no tokenizer"):
        judge_at("http://h/v1", tokenizer=str(tmp_path))


# --- votes ------------------------------------------------------------------------------------


def test_votes_reach_the_server_as_samples_with_seeds_of_their_own() -> None:
    with Server(lambda _: saying(PASS)) as server, judge_at(server.url, temperature=0.8) as judge:
        decided(judge, question(own=spec(votes=3)))
    seeds = [request.body["seed"] for request in server.requests]
    assert len({*seeds}) == len(seeds) == 2  # the third could not change it
    assert {request.body["temperature"] for request in server.requests} == {0.8}
    assert len({request.user for request in server.requests}) == 1


# --- vLLM's own protocol ----------------------------------------------------------------------


@pytest.mark.parametrize("structured", ["json_schema", "structured_outputs"])
@pytest.mark.parametrize("seed", [None, (1 << 63) - 1])
def test_vllm_takes_the_requests_and_finds_the_schema_in_them(
    structured: str, seed: int | None
) -> None:
    protocol = pytest.importorskip("vllm.entrypoints.openai.chat_completion.protocol")
    body = body_of(structured, seed)
    request = protocol.ChatCompletionRequest.model_validate(body)
    assert not request.model_extra  # it allows fields that it does not know, and ignores them
    params = request.to_sampling_params(2048, {})
    found = params.structured_outputs.json
    assert (json.loads(found) if isinstance(found, str) else found) == SCHEMA
    assert (params.max_tokens, params.seed) == (2048, body["seed"])
    assert params.temperature == (0.0 if seed is None else 1.0)
    assert (request.logprobs, request.top_logprobs) == (True, 5)
