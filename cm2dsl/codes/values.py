"""E3: values and structure."""

from cm2dsl.codes.code import Code

ROWS = """
task trip each row in "{0}" {1}{{
  turn ask {{ user "To {{row.to}}" item searches {{ check called search(to == row.to) }} }}
}}
"""
TEST = """
task trip {{
  turn ask {{ user "Hello" item answers {{ check replied }} }}
}}

test "answers" for trip {{
  trajectory "recordings.jsonl"
  {0}
}}
"""

CODES = (
    Code(
        "E301",
        "a number out of range",
        "Weights are shares and not negative, and not all zero; a penalty is more than 0 and at "
        "most 1; counts and votes are whole.",
        "Write a number in the range that the help names.",
        "item answers { check replied }\nitem searches weight -1 { check called search }",
    ),
    Code(
        "E302",
        "a word that stands twice, or two that exclude each other",
        "A role counts once. A `veto` takes the whole turn, of which a `penalty` could take no "
        "part then; and no turn comes after the task scope, which `strict` could hold back.",
        "Take one of them out.",
        "item answers { check replied }\nnever books veto penalty 0.5 { check called book }",
    ),
    Code(
        "E303",
        "two where there can be one",
        "An item has one check, one question and one focus, a turn one user message, a spec one of "
        "each setting.",
        "Join the two: checks with `and` or `or`, or make two items.",
        "item answers { check replied check called search }",
    ),
    Code(
        "E304",
        "an item that decides nothing, or a text for a judge that is not asked",
        "An item is decided by a `check`, by an `ask`, or by both. `pass` and `fail` only explain "
        "a question, and a judge is not asked for what never happens.",
        "Add a `check` or an `ask`.",
        "item answers { focus reply }",
    ),
    Code(
        "E305",
        "`after` that names an item which is decided too late",
        "An item is satisfied at the earliest one step after what it comes after, so what is "
        "decided in a later turn can never come first.",
        "Move the item to that turn, or take the dependency out.",
        """
task trip {
  turn ask { user "A flight" item searches after book.books { check called search } }
  turn book { user "Book it" item books { check called book } }
}
""",
    ),
    Code(
        "E306",
        "`after` that runs in a circle",
        "Each of these items waits for the others, so none of them can ever be satisfied.",
        "Take one `after` out.",
        "item one after two { check called search }\nitem two after one { check replied }",
    ),
    Code(
        "E307",
        "a spec, a task or a turn without what it must have",
        "A spec has a domain and a task, a task has turns and items, a turn has a user message.",
        "Add what is missing. A file of templates alone has no domain.",
        "task trip { turn ask { item searches { check called search } } }",
    ),
    Code(
        "E308",
        "rows of which none is left, or with a key or a split that is missing or wrong",
        "Every row is a task with a key of its own, and is for training or held out.",
        "Give every row its own `id` and a split of `train` or `heldout`; loosen `where`.",
        ROWS.format("rows.csv", 'where to == "Paris" '),
    ),
    Code(
        "E309",
        "`assign … at` that names no turn of a task",
        "With `at`, only the named turns carry reward: a task that has none of them would carry "
        "none.",
        "Name a turn of every task, or give the task an `assign` of its own.",
        """
assign { at book }

task trip { turn ask { user "Hello" item answers { check replied } } }
task other { turn book { user "Book it" item books { check called book } } }
""",
    ),
    Code(
        "E310",
        "an anchor that is not in the recording",
        "An anchor is a verbatim piece of a recorded dialogue of the task, in its channel. One "
        "that is not there shows that the item was written from something else.",
        "Copy the words from the recording, or take the anchor out.",
        'item answers { check replied anchor reply "KF12 leaves at 09:00" }',
    ),
    Code(
        "E311",
        "a test that cannot be run",
        "A test has one trajectory with one dialogue, names a row where its task has rows, and "
        "judges only what a judge decides.",
        "Correct the test as the help says.",
        TEST.format("judged ask.answers pass\n  expect ask.answers pass"),
    ),
)
