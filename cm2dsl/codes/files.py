"""E4: files."""

from cm2dsl.codes.code import Code

TASK = 'task trip { turn ask { user "Hello" item answers { check replied } } }'
ROWS = """
task trip each row in "more.csv" {
  turn ask { user "To {row.to}" item searches { check called search(to == row.to) } }
}
"""

CODES = (
    Code(
        "E401",
        "a name that is no file name, or a file outside the spec's folder",
        "A spec and its files travel together: what it names lies in its folder or below, with `/` "
        "between folders on every system.",
        "Copy the file into the folder of the spec, or correct the name.",
        f'import "../library.cm2"\n\n{TASK}',
    ),
    Code(
        "E402",
        "a file that is missing or cannot be read",
        "Tools, rows, recordings and imports are read when the spec is compiled.",
        "Correct the name; names are relative to the folder of the spec that is compiled, also in "
        "a file that it imports.",
        f'import "libary.cm2"\n\n{TASK}',
    ),
    Code(
        "E403",
        "a file that is not UTF-8",
        "Specs and all their files are UTF-8, so that they say the same everywhere.",
        "Save the file as UTF-8.",
        f'import "more.cm2"\n\n{TASK}',
        {"more.cm2": "cm2 1\n\n# für später\n"},
        encoding="latin-1",
    ),
    Code(
        "E404",
        "a tools file, other JSON or a Python backend that is not right",
        "A tools file is a list of OpenAI function schemas or MCP tools, each with a name of its "
        "own. JSON that two readers would read differently (a key that occurs twice) is refused.",
        "Correct the file at the place that is shown.",
        f'cm2 1\n\ndomain air\ntools "more.json"\n\n{TASK}',
        {"more.json": '[{"name": "search", "name": "find"}]\n'},
    ),
    Code(
        "E405",
        "a row file that is not right",
        "Rows are CSV with the columns' names in the first line, or JSON Lines with an object in "
        "each.",
        "Correct the file at the place that is shown.",
        ROWS,
        {"more.csv": "id,to\nr1,Rome,Monday\n"},
    ),
    Code(
        "E406",
        "a dialogue file that is not right",
        "Recordings and the trajectories of tests are dialogues in chat messages, each with its "
        "role and its content.",
        "Correct the message that is named.",
        """
task trip {
  reference "more.jsonl"
  turn ask { user "Hello" item answers { check replied } }
}
""",
        {
            "more.jsonl": '{"id": "r1", "task": "trip", "messages": '
            '[{"role": "robot", "content": "Hello"}]}\n'
        },
    ),
)
