"""What a call of a tool changes: what its schema says, else what its name suggests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

Effect = Literal["read", "write", "generic"]
Origin = Literal["schema", "annotations", "name"]

# Split at case changes and at what is no letter: `getUserInfo`, `get-user.info`.
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

READ = (
    "browse cat check compare count describe detect diff display du examine exists explain fetch "
    "filter find get grep has inspect is list load look lookup ls match peek preview pwd query "
    "read recall recommend retrieve scan search show sort suggest tail track validate verify view "
    "wc whois"
)
READ_NOUNS = (
    "availability balance details exists forecast history info information list lookup query "
    "search status summary"
)
WRITE = (
    "accept activate add adjust append apply approve archive assign attach authenticate ban block "
    "book buy cancel change charge checkout clear close comment commit complete confirm contact "
    "copy cp create deactivate decline delete deposit destroy disable disconnect dismiss drop "
    "edit email enable engage exchange file fill finish fix follow forward fund give grant hold "
    "import insert install invite issue join kick launch leave like lock log login logout mark "
    "mention merge message mkdir modify move mute mv notify open order park patch pay pin place "
    "play post press publish purchase push put rebook reboot recharge record redeem refill refuel "
    "refund register reject release remind remove rename renew reopen replace reply report "
    "request reschedule reserve reset resolve restart restore resume retry return retweet revoke "
    "rm rmdir rsvp save schedule sell send set share sign snooze start stop submit subscribe "
    "suspend swap tag toggle touch transfer trigger turn unblock undo unfollow uninstall unlock "
    "unmute unsubscribe update upgrade upload upvote vote withdraw write"
)
GENERIC = (
    "absolute calc calculate compute convert divide echo estimate logarithm max mean median min "
    "multiply now percentage power round subtract sum think today wait"
)

VERBS: tuple[tuple[Effect, str], ...] = (("read", READ), ("write", WRITE), ("generic", GENERIC))

NOUNS = (
    "book charge comment contact email file fund issue log mention message order play post record "
    "report request return schedule share sign tag transfer"
)
"""Words of WRITE that are nouns as well: `order_status` looks, `order_pizza` orders."""

PEOPLE = "agent agents human humans operator representative supervisor"

WRITE_ZH = re.compile(
    "取消|预订|预约|修改|更改|改签|改约|变更|删除|新增|添加|创建|提交|支付|付款|退|发送|更新|设置|挂号|下单|订"
)
READ_ZH = re.compile("查|搜|列|获取|读取|检索|看")


def effect_of(tool: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[Effect, Origin] | None:
    """The effect of a tool and where it is known from; None where nothing says it.

    `tool` is an entry of a tools file and `body` its function, which may be the same object.
    """
    written = body.get("x-effect", tool.get("x-effect"))
    if written is not None:
        effect: Effect = written  # the compiler has checked it
        return effect, "schema"
    annotated = _annotated(body.get("annotations", tool.get("annotations")))
    if annotated is not None:
        return annotated, "annotations"
    guessed = by_name(str(body["name"]))
    return (guessed, "name") if guessed is not None else None


def _annotated(hints: Any) -> Effect | None:
    """What MCP's annotations say. A tool that is not read-only by them may change things."""
    if not isinstance(hints, Mapping):
        return None
    if isinstance(hints.get("readOnlyHint"), bool):
        return "read" if hints["readOnlyHint"] else "write"
    said = [hints.get(key) for key in ("destructiveHint", "idempotentHint")]
    return "write" if any(isinstance(hint, bool) for hint in said) else None


def by_name(name: str) -> Effect | None:
    """The effect that the words of a name suggest: its first word, else its first plain verb."""
    words = [word.lower() for word in WORD.findall(name)]
    if "transfer" in words and not set(words).isdisjoint(PEOPLE.split()):
        return "generic"  # the user is handed over; nothing of theirs is changed
    if words and words[0] in NOUNS.split() and words[-1] in f"{READ} {READ_NOUNS}".split():
        return "read"
    plain = [word for word in words[1:] if word not in NOUNS.split()]
    for word in [*words[:1], *plain, *words[1:]]:
        for effect, verbs in VERBS:
            if word in verbs.split():
                return effect
    if (words and words[-1] in READ_NOUNS.split()) or READ_ZH.search(name):
        return "read"
    if WRITE_ZH.search(name):
        return "write"
    return "generic" if "to" in words[1:-1] else None  # `gallon_to_liter`


def is_verb(word: str) -> bool:
    """Whether a word, in lower case, is a verb that names of tools are made of."""
    return word in f"{READ} {WRITE} {GENERIC}".split()
