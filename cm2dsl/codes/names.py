"""E1: names."""

from cm2dsl.codes.code import Code

CODES = (
    Code(
        "E101",
        "a tool that no tools file defines",
        "A check of a tool that does not exist is never true, so its item could never be earned. "
        "After `user`, the tool is looked for among the user's tools.",
        "Correct the name, or add the tool to the file that `tools` names.",
        "item searches { check called serch }",
    ),
    Code(
        "E102",
        "an argument that the tool's schema rules out",
        "No call has such an argument, so the check could never be true (or never false).",
        "Name an argument from the tool's schema; a path leads into objects with `.` and into "
        "lists with `[0]` or `[*]`.",
        'item searches { check called search(too == "Rome") }',
    ),
    Code(
        "E103",
        "a value that is not among the enumerated ones, or out of bounds",
        "The tool's schema lists the values of the argument, or bounds them (`minimum`, "
        "`maxLength`, `pattern` …), and this is none of them.",
        "Compare with a value that the schema allows.",
        'item searches { check called search(cabin == "frist") }',
    ),
    Code(
        "E104",
        "a name in a value or a string that is neither a parameter nor the row",
        "Text in a check stands in quotes. A name without them is a parameter of the template or "
        "the row of a task with `each`.",
        "Put text in quotes; write `\\{` in a string for a brace that is none of a reference.",
        "item searches { check called search(to == Rome) }",
    ),
    Code(
        "E105",
        "a column that the row file, or one of its rows, does not have",
        "Every row makes a task of its own, and each of them needs the value.",
        "Correct the column's name, or give every row that column.",
        """
task trip each row in "rows.csv" split by split {
  turn ask {
    user "To {row.too}, please"
    item searches { check called search(to == row.to) }
  }
}
""",
    ),
    Code(
        "E106",
        "a name that stands twice, or is taken",
        "Verdicts, `after` and tests name tasks, turns and items: two of one name could not be "
        "told apart.",
        "Rename one. A template that is used twice takes another name with `as`.",
        "item searches { check called search }\nitem searches { check replied }",
    ),
    Code(
        "E107",
        "a template that is not defined",
        "`use` names a template of this file, or of one that is imported.",
        "Correct the name, or import the file that has it.",
        'import "library.cm2"\n\ntask trip {\n  turn ask { user "Hello" use grouned(search) }\n}',
    ),
    Code(
        "E108",
        "a word that is none of the choices",
        "Channels, views, levels, effects and verdicts are words from a fixed list.",
        "Choose one from the list in the help.",
        'item answers { focus replies ask "Does the reply name a price?" }',
    ),
    Code(
        "E109",
        "a turn or an item that is not in the task",
        "`after` names an item of the same turn, or `turn.item` of an earlier one; tests name "
        "every item by its turn.",
        "Correct the name, or write the turn before it.",
        "item searches { check called search }\nitem answers after serches { check replied }",
    ),
    Code(
        "E110",
        "a test of an unknown task or row",
        "A test says what the items of one task must say of a dialogue.",
        "Name a task of this file, and for a task with rows one of their keys.",
        """
task trip { turn ask { user "Hello" item answers { check replied } } }

test "answers" for tirp { trajectory "recordings.jsonl" expect ask.answers pass }
""",
    ),
)
