"""What is known of the backends of BFCL's multi-turn tasks: their documents, effects and names.

Effects were decided from the function documents, sentence by sentence. A function *reads* if its
document only returns, displays, searches, computes, converts, estimates or checks something. It
*writes* if a later call can tell that it was called: it creates, changes, moves, sends, books,
pays or deletes something, logs somebody in or out, or sets a control of the car. In doubt:

- `cd` writes: every later path is relative to the folder that it chose.
- `sort` reads: its document returns the sorted lines (`sorted_content`), and says of no file that
  it is changed. `echo` writes: it may write a file.
- `contact_customer_support` writes: it sends a message. `verify_traveler_information` and
  `notify_price_change` read: they return whether something is so.

A function that is not listed is taken to write: a limit on writes then holds it too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """A class of the benchmark: the file of its function documents, and what it is called here."""

    documents: str
    name: str
    title: str
    reads: frozenset[str]
    writes: frozenset[str]


def _backend(documents: str, name: str, title: str, reads: str, writes: str) -> Backend:
    return Backend(documents, name, title, frozenset(reads.split()), frozenset(writes.split()))


BACKENDS = {
    "GorillaFileSystem": _backend(
        "gorilla_file_system.json",
        "files",
        "a file system",
        reads="cat diff du find grep ls pwd sort tail wc",
        writes="cd cp echo mkdir mv rm rmdir touch",
    ),
    "MathAPI": _backend(
        "math_api.json",
        "math",
        "a calculator",
        reads="""absolute_value add divide imperial_si_conversion logarithm max_value mean min_value
            multiply percentage power round_number si_unit_conversion square_root
            standard_deviation subtract sum_values""",
        writes="",
    ),
    "MessageAPI": _backend(
        "message_api.json",
        "messages",
        "messages",
        reads="""get_message_stats get_user_id list_users message_get_login_status search_messages
            view_messages_sent""",
        writes="add_contact delete_message message_login send_message",
    ),
    "TwitterAPI": _backend(
        "posting_api.json",
        "tweets",
        "tweets",
        reads="""get_tweet get_tweet_comments get_user_stats get_user_tweets list_all_following
            posting_get_login_status search_tweets""",
        writes="""authenticate_twitter comment follow_user mention post_tweet retweet
            unfollow_user""",
    ),
    "TicketAPI": _backend(
        "ticket_api.json",
        "tickets",
        "support tickets",
        reads="get_ticket get_user_tickets ticket_get_login_status",
        writes="close_ticket create_ticket edit_ticket logout resolve_ticket ticket_login",
    ),
    "TradingBot": _backend(
        "trading_bot.json",
        "trading",
        "stock trading",
        reads="""filter_stocks_by_price get_account_info get_available_stocks get_current_time
            get_order_details get_order_history get_stock_info get_symbol_by_name
            get_transaction_history get_watchlist notify_price_change trading_get_login_status""",
        writes="""add_to_watchlist cancel_order fund_account place_order
            remove_stock_from_watchlist trading_login trading_logout withdraw_funds""",
    ),
    "TravelAPI": _backend(
        "travel_booking.json",
        "travel",
        "travel booking",
        reads="""compute_exchange_rate get_all_credit_cards get_booking_history
            get_budget_fiscal_year get_credit_card_balance get_flight_cost
            get_nearest_airport_by_city list_all_airports retrieve_invoice travel_get_login_status
            verify_traveler_information""",
        writes="""authenticate_travel book_flight cancel_booking contact_customer_support
            purchase_insurance register_credit_card set_budget_limit""",
    ),
    "VehicleControlAPI": _backend(
        "vehicle_control.json",
        "car",
        "the controls of a car",
        reads="""check_tire_pressure displayCarStatus display_log estimate_distance
            estimate_drive_feasibility_by_mileage find_nearest_tire_shop gallon_to_liter
            get_current_speed get_outside_temperature_from_google
            get_outside_temperature_from_weather_com get_zipcode_based_on_city liter_to_gallon""",
        writes="""activateParkingBrake adjustClimateControl fillFuelTank lockDoors pressBrakePedal
            releaseBrakePedal setCruiseControl setHeadlights set_navigation startEngine""",
    ),
    "WebSearchAPI": _backend(
        "web_search.json",
        "web",
        "web search",
        reads="fetch_url_content search_engine_query",
        writes="",
    ),
    "MemoryAPI_kv": _backend(
        "memory_kv.json",
        "key_value_memory",
        "a memory of keys and values",
        reads="""archival_memory_key_search archival_memory_list_keys archival_memory_retrieve
            core_memory_key_search core_memory_list_keys core_memory_retrieve
            core_memory_retrieve_all""",
        writes="""archival_memory_add archival_memory_clear archival_memory_remove
            archival_memory_replace core_memory_add core_memory_clear core_memory_remove
            core_memory_replace""",
    ),
    "MemoryAPI_vector": _backend(
        "memory_vector.json",
        "vector_memory",
        "a memory of similar texts",
        reads="""archival_memory_retrieve archival_memory_retrieve_all core_memory_retrieve
            core_memory_retrieve_all""",
        writes="""archival_memory_add archival_memory_clear archival_memory_remove
            archival_memory_update core_memory_add core_memory_clear core_memory_remove
            core_memory_update""",
    ),
    "MemoryAPI_rec_sum": _backend(
        "memory_rec_sum.json",
        "summary_memory",
        "a memory of one text",
        reads="memory_retrieve",
        writes="memory_append memory_clear memory_replace memory_update",
    ),
}
"""The classes of the benchmark, in the order in which specs name them."""


def effect_of(owner: str, function: str) -> str | None:
    """`read` or `write`; None for a function that the tables do not list."""
    backend = BACKENDS.get(owner)
    if backend is None:
        return None
    if function in backend.reads:
        return "read"
    return "write" if function in backend.writes else None


# --- names ------------------------------------------------------------------------------------

PHRASES = {
    "cat": "show_file",
    "cd": "enter_folder",
    "cp": "copy_file",
    "diff": "compare_files",
    "du": "measure_disk_usage",
    "echo": "write_text",
    "find": "find_files",
    "grep": "search_file",
    "ls": "list_folder",
    "mkdir": "make_folder",
    "mv": "move_file",
    "pwd": "show_folder",
    "rm": "remove_file",
    "rmdir": "remove_folder",
    "sort": "sort_file",
    "tail": "show_last_lines",
    "touch": "create_file",
    "wc": "count_file",
    "absolute_value": "compute_absolute_value",
    "imperial_si_conversion": "convert_units",
    "logarithm": "compute_logarithm",
    "max_value": "find_maximum",
    "mean": "compute_mean",
    "min_value": "find_minimum",
    "percentage": "compute_percentage",
    "power": "compute_power",
    "si_unit_conversion": "convert_units",
    "square_root": "compute_square_root",
    "standard_deviation": "compute_standard_deviation",
    "sum_values": "add_up_values",
    "message_get_login_status": "check_message_login",
    "message_login": "log_in_to_messages",
    "authenticate_twitter": "log_in_to_twitter",
    "comment": "comment_on_tweet",
    "mention": "mention_users",
    "retweet": "retweet_post",
    "posting_get_login_status": "check_twitter_login",
    "logout": "log_out",
    "ticket_get_login_status": "check_ticket_login",
    "ticket_login": "log_in_to_tickets",
    "trading_get_login_status": "check_trading_login",
    "trading_login": "log_in_to_trading",
    "trading_logout": "log_out_of_trading",
    "authenticate_travel": "log_in_to_travel",
    "travel_get_login_status": "check_travel_login",
    "gallon_to_liter": "convert_gallons",
    "liter_to_gallon": "convert_liters",
    "search_engine_query": "search_web",
}
"""Functions whose own name does not say what is done, and what is."""

STEPS = frozenset({"cd"})
"""Functions that only lead to the next call."""

VERBS = frozenset(
    [
        "activate",
        "add",
        "adjust",
        "book",
        "cancel",
        "check",
        "close",
        "comment",
        "compare",
        "compute",
        "contact",
        "convert",
        "copy",
        "count",
        "create",
        "delete",
        "display",
        "divide",
        "edit",
        "enter",
        "estimate",
        "fetch",
        "fill",
        "filter",
        "find",
        "follow",
        "fund",
        "get",
        "list",
        "lock",
        "log",
        "make",
        "measure",
        "mention",
        "move",
        "multiply",
        "notify",
        "place",
        "post",
        "press",
        "purchase",
        "register",
        "release",
        "remove",
        "resolve",
        "retrieve",
        "retweet",
        "round",
        "search",
        "send",
        "set",
        "show",
        "sort",
        "start",
        "subtract",
        "unfollow",
        "verify",
        "view",
        "withdraw",
        "write",
    ]
)


def third_person(phrase: str) -> str:
    """`book_flight` as `books_flight`; what begins with no known verb as `calls_…`."""
    verb, _, rest = phrase.partition("_")
    if verb not in VERBS:
        return f"calls_{phrase}"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        verb = verb[:-1] + "ies"
    else:
        verb += "es" if verb.endswith(("s", "sh", "ch", "x", "z")) else "s"
    return f"{verb}_{rest}" if rest else verb
