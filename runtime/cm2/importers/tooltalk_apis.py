"""ToolTalk's APIs: which of them are actions, and how items and turns about them are called.

ToolTalk marks an API as an action in its Python class (`is_action`), which is not in its data:
the table below repeats these marks. An API that it does not know is judged by its first word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cm2dsl.names import name_of
from cm2dsl.schemas import json_type

Effect = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Api:
    """`does` names an item that wants a call, `about` a turn that is there for it."""

    effect: Effect
    does: str
    about: str


APIS = {
    "ChangePassword": Api("write", "changes_password", "password"),
    "DeleteAccount": Api("write", "deletes_account", "account"),
    "GetAccountInformation": Api("read", "looks_up_account", "account"),
    "LogoutUser": Api("write", "logs_out", "logout"),
    "QueryUser": Api("read", "finds_user", "user"),
    "RegisterUser": Api("write", "registers", "registration"),
    "ResetPassword": Api("write", "resets_password", "password"),
    "SendVerificationCode": Api("write", "sends_code", "verification"),
    "UpdateAccountInformation": Api("write", "updates_account", "account"),
    "UserLogin": Api("write", "logs_in", "login"),
    "AddAlarm": Api("write", "sets_alarm", "alarm"),
    "DeleteAlarm": Api("write", "deletes_alarm", "alarm"),
    "FindAlarms": Api("read", "finds_alarms", "alarms"),
    "CreateEvent": Api("write", "creates_event", "event"),
    "DeleteEvent": Api("write", "deletes_event", "event"),
    "ModifyEvent": Api("write", "changes_event", "event"),
    "QueryCalendar": Api("read", "looks_at_calendar", "calendar"),
    "SearchInbox": Api("read", "searches_inbox", "inbox"),
    "SendEmail": Api("write", "sends_email", "email"),
    "SearchMessages": Api("read", "searches_messages", "messages"),
    "SendMessage": Api("write", "sends_message", "message"),
    "AddReminder": Api("write", "adds_reminder", "reminder"),
    "CompleteReminder": Api("write", "completes_reminder", "reminder"),
    "DeleteReminder": Api("write", "deletes_reminder", "reminder"),
    "GetReminders": Api("read", "looks_up_reminders", "reminders"),
    "CurrentWeather": Api("read", "looks_up_weather", "weather"),
    "ForecastWeather": Api("read", "looks_up_forecast", "forecast"),
    "HistoricWeather": Api("read", "looks_up_climate", "climate"),
}

READING = """
    check current fetch find forecast get historic list look lookup query read retrieve search show
    view
"""
READS = frozenset(READING.split())


def api_of(name: str) -> Api:
    """What the table says of an API, else what its name does: `BookRoom` writes, `books_room`."""
    if name in APIS:
        return APIS[name]
    verb, *rest = name_of(name, otherwise="api").split("_")
    effect: Effect = "read" if verb in READS else "write"
    return Api(effect, "_".join([third_person(verb), *rest]), "_".join(rest) or verb)


def third_person(verb: str) -> str:
    """`adds`, `searches`, `tries`."""
    if re.search(r"(s|sh|ch|x|z|o)\Z", verb):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y\Z", verb) else verb + "s"


def schemas(calls: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Function schemas out of (API, parameters) of calls, by name.

    A parameter has the types that its values have, and is required where no call lacks it.
    """
    seen: dict[str, list[Mapping[str, Any]]] = {}
    for name, parameters in calls:
        seen.setdefault(name, []).append(parameters)
    return [
        {
            "name": name,
            "x-effect": api_of(name).effect,
            "parameters": _object_schema(seen[name]),
        }
        for name in sorted(seen)
    ]


def _object_schema(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = list(dict.fromkeys(key for each in objects for key in each))
    return {
        "type": "object",
        "properties": {
            key: _value_schema([each[key] for each in objects if key in each]) for key in keys
        },
        "required": [key for key in keys if all(key in each for each in objects)],
    }


def _value_schema(values: list[Any]) -> dict[str, Any]:
    types = sorted({json_type(value) for value in values})
    if "number" in types and "integer" in types:
        types.remove("integer")
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    lists = [value for value in values if isinstance(value, list)]
    elements = [element for each in lists for element in each]
    if elements:
        schema["items"] = _value_schema(elements)
    objects = [value for value in values if isinstance(value, dict)]
    if objects:
        schema |= {key: part for key, part in _object_schema(objects).items() if key != "type"}
    return schema
