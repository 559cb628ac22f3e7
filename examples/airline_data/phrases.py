"""What customers and desks say, in English and Chinese. Braces are filled from the row."""

from __future__ import annotations

CITIES = {
    "BJS": {"en": "Beijing", "zh": "北京"},
    "CAI": {"en": "Cairo", "zh": "开罗"},
    "DEL": {"en": "Delhi", "zh": "德里"},
    "LIM": {"en": "Lima", "zh": "利马"},
    "OSL": {"en": "Oslo", "zh": "奥斯陆"},
    "ROM": {"en": "Rome", "zh": "罗马"},
    "SEL": {"en": "Seoul", "zh": "首尔"},
    "TYO": {"en": "Tokyo", "zh": "东京"},
}
MONTHS = {5: "May", 6: "June", 7: "July", 8: "August"}
FARES = {"basic": {"en": "basic", "zh": "基础"}, "flex": {"en": "flex", "zh": "灵活"}}

# What customers say; a booking code stands after `#`, as on the ticket. Allowed and refused
# requests sound alike: only a tool's result tells them apart.
OPENINGS = {
    "search": {
        "en": [
            "Is there a flight from {origin} to {destination} on {day}?",
            "I want to fly from {origin} to {destination} on {day}.",
            "What flies from {origin} to {destination} on {day}, please?",
            "{origin} to {destination}, {day}: what do you have?",
            "On {day} I have to get from {origin} to {destination}.",
            "Please find me a seat from {origin} to {destination} on {day}.",
        ],
        "zh": [
            "{day}有从{origin}到{destination}的航班吗？",
            "我想{day}从{origin}飞到{destination}。",
            "请查一下{day}{origin}到{destination}的航班。",
            "{origin}到{destination}，{day}有票吗？",
            "{day}我要从{origin}去{destination}，有什么航班？",
            "帮我看看{day}从{origin}到{destination}的机票。",
        ],
    },
    "book": {
        "en": [
            "Book it for me, {fare} fare.",
            "I take it with the {fare} fare.",
            "One {fare} seat, please.",
            "Good, please book the {fare} fare.",
            "Then {fare} for one person.",
        ],
        "zh": [
            "请订一张{fare}票。",
            "就订{fare}票吧。",
            "帮我订，要{fare}票。",
            "好，一位，{fare}票。",
            "我要{fare}票，请预订。",
        ],
    },
    "change": {
        "en": [
            "Please move booking #{booking} to {new_day}.",
            "Can I fly on {new_day} instead? My booking is #{booking}.",
            "I need #{booking} changed to {new_day}.",
            "My plans changed: #{booking} should be on {new_day}.",
            "Could you put me on {new_day}? Booking #{booking}.",
            "Booking #{booking}: a later date, {new_day}, would be better.",
        ],
        "zh": [
            "请把订单#{booking}改到{new_day}。",
            "我的订单是#{booking}，能改成{new_day}吗？",
            "订单#{booking}想改签到{new_day}。",
            "行程有变，#{booking}要改到{new_day}。",
            "麻烦改签#{booking}，换成{new_day}。",
            "能不能{new_day}再飞？订单号#{booking}。",
        ],
    },
    "cancel": {
        "en": [
            "Please cancel booking #{booking}.",
            "I cannot travel. Cancel #{booking} for me.",
            "I want my money back for #{booking}.",
            "My booking is #{booking} and I need it cancelled.",
            "I am ill, so please cancel #{booking}.",
            "Booking #{booking} has to go. Can you cancel it?",
        ],
        "zh": [
            "请取消订单#{booking}。",
            "我去不了了，帮我取消#{booking}。",
            "订单#{booking}我要退票。",
            "我的订单是#{booking}，想取消。",
            "我生病了，请退掉#{booking}。",
            "能取消#{booking}这个订单吗？",
        ],
    },
}

# How a good desk ends a turn.
REPLIES = {
    "found": {
        "en": ["{flight}: basic {basic}, flex {flex} EUR, {seats} seats."],
        "zh": ["{flight}：基础 {basic}，灵活 {flex} 欧元，余 {seats} 座。"],
    },
    "none": {"en": ["Sorry, no flights on {day}."], "zh": ["抱歉，{day}没有航班。"]},
    "booked": {"en": ["Booked: {code}, {total} EUR."], "zh": ["已预订：{code}，{total} 欧元。"]},
    "full": {"en": ["Sorry, {flight} is sold out."], "zh": ["抱歉，{flight}已售罄。"]},
    "changed": {
        "en": ["Done: {booking} is moved to {new_day}, fee {fee} EUR."],
        "zh": ["好的，{booking}已改到{new_day}，手续费 {fee} 欧元。"],
    },
    "unchangeable": {
        "en": ["Sorry, {booking} has the basic fare and cannot be changed."],
        "zh": ["抱歉，{booking}是基础票，不能改签。"],
    },
    "cancelled": {
        "en": ["Done: {booking} is cancelled, refund {refund} EUR."],
        "zh": ["好的，{booking}已取消，退款 {refund} 欧元。"],
    },
    "uncancellable": {
        "en": ["Sorry, {booking} has the basic fare and cannot be cancelled."],
        "zh": ["抱歉，{booking}是基础票，不能取消。"],
    },
    "unknown": {
        "en": ["Sorry, I cannot find booking {booking}."],
        "zh": ["抱歉，找不到订单{booking}。"],
    },
    "vague": {
        "en": ["All done, have a good day.", "Sorry, I cannot help with that."],
        "zh": ["好了，祝您愉快。", "抱歉，这个我帮不了。"],
    },
}

# The words that a check looks for in the final reply.
DONE = {
    "book": {"en": "Booked", "zh": "已预订"},
    "change": {"en": "is moved to", "zh": "已改到"},
    "cancel": {"en": "is cancelled", "zh": "已取消"},
}
DENIAL = {
    "search": {"en": "no flights", "zh": "没有航班"},
    "book": {"en": "sold out", "zh": "已售罄"},
    "change": {"en": "cannot be changed", "zh": "不能改签"},
    "cancel": {"en": "cannot be cancelled", "zh": "不能取消"},
}
