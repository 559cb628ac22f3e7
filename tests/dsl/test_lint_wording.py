"""Questions as people write them, in two languages, and what lint says of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.run import lint
from cm2dsl.lint.subject import Subject

QUESTIONS = {
    "Does the reply name the price of the flight?": "",
    "Does the reply state the refund, and does the agent confirm the account?": "L206",
    "Does the agent verify the identity of the user and cancel the reservation?": "L206",
    "Does the agent look up the order and tell the user its status?": "L206",
    "Did the assistant thank the user and explicitly agree to wait?": "L206",
    "Is a price named? Is it the lowest?": "L206",
    "Does the reply name the city and state?": "",
    "Does the reply tell the user to call the bank and ask for a new card?": "",
    "Does the reply ask for the number or offer help in finding it?": "",
    "Does the reply say that the agent will check and confirm?": "",
    "Does the agent apologize when the flight is delayed?": "L207",
    "When the user is angry, does the agent stay calm?": "L207",
    "Is a voucher offered, if the flight was cancelled?": "L207",
    "Does the reply say when the refund arrives?": "",
    "Does the agent ask whether the user wants insurance if the trip is long?": "",
    "Does the reply list the flights that leave when the user wants?": "",
    "Does the reply promise a search once the number is there?": "",
    "Does the agent confirm the booking in turn 3?": "L202",
    "Did the agent search in the first step?": "L202",
    "Is the name asked for in the third reply?": "L202",
    "Does the reply describe the first step of the return?": "",
    "Does the reply name the second flight of the day?": "",
    "Does the agent respond appropriately to the complaint?": "L203",
    "Does the agent provide a comprehensive summary?": "L203",
    "Is the answer helpful to the customer?": "L203",
    "Does the agent say that the price is reasonable?": "",
    "Which fare does the reply recommend?": "L204",
    "How natural did the conversation feel overall?": "L204",
    "The reply names the fare.": "L204",
    "Doesn't the reply name a price?": "L211",
    "Does the agent not cancel the booking?": "L211",
    "Is it true that the agent does not cancel the booking?": "",
    "Does the reply say that the fare is not refunded?": "",
    "Right price?": "L215",
    "Is the tone professional and empathetic?": "L208",
    "Was the assistant polite throughout the conversation?": "L208",
    "Does the reply politely decline the refund?": "",
    "Does the reply contain the literal word “refund”?": "L402",
    "Does the final reply name the flight KF902?": "L402",
    "Does the reply name the flight that was found?": "",
    "Did the agent call search with the city that the user named?": "L411",
    "Did the agent call the customer by name?": "",
    "回复有没有说明退款金额？": "",
    "回复是否礼貌，是否回答了用户的问题？": "L206",
    "客服有没有核对身份，并且有没有说明退款时间？": "L206",
    "客服有没有核对姓名，并取消了订单？": "L206",
    "客服有没有告诉用户要带身份证，还要带照片？": "",
    "如果用户生气，客服是否保持冷静？": "L207",
    "用户询问价格时，客服有没有报价？": "L207",
    "客服有没有在用户下单前报出总价？": "",
    "第二轮里客服有没有报价？": "L202",
    "客服第三次回复有没有道歉？": "L202",
    "回复是否恰当地处理了投诉？": "L203",
    "客服的语气怎么样？": "L204",
    "请给回复打几分？": "L204",
    "客服是否说明了退款需要几天？": "",
    "客服没有泄露隐私吗？": "L211",
    "客服是否没有泄露隐私？": "",
    "客服有没有泄露隐私？": "",
    "客服的语气是否友好？": "L208",
    "回复是不是简洁、自然？": "L208",
    "回复里是否提到“退款”？": "L402",
    "对吗？": "L215",
    "回复会不会让用户以为已经退款了？": "",
    "回复说的科室和症状对得上吗？": "",
}
"""Question -> the rule that finds something in it, or none."""
WORDING = ("L2", "L402", "L411")
ELSEWHERE = {"L205", "L214"}
"""Rules that look at the examples beside the question, which are the same for all here."""


@pytest.mark.parametrize(("question", "code"), QUESTIONS.items())
def test_a_question_is_found_for_its_own_fault_and_no_other(
    question: str, code: str, tmp_path: Path
) -> None:
    unpack(tmp_path)
    path = tmp_path / "spec.cm2"
    items = f'item one {{ ask "{question}" fail "KF7" }}\nitem two weight 0.5 {{ check replied }}'
    path.write_text(whole(items), encoding="utf-8")
    rules = [rule for rule in all_rules() if rule.code.startswith(WORDING)]
    found = [one.code for one in lint(Subject.read(path), rules) if one.code not in ELSEWHERE]
    assert found == ([code] if code else [])
