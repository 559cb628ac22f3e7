"""E2: types."""

from cm2dsl.codes.code import Code

CODES = (
    Code(
        "E201",
        "a value, or an operator, that does not fit the type of an argument or a column",
        'Equality is that of JSON: `"2"` is not `2`. A comparison across types is never true.',
        "Write a value of the type that the schema, or the column, has.",
        'item books { check called book(seats == "2") }',
    ),
    Code(
        "E202",
        "an operator and a value that do not fit each other",
        "`<` orders numbers and text, `in` wants a list, a tolerance is for numbers.",
        "Use another operator, or another value.",
        'item books { check result search has seats in "2" }',
    ),
    Code(
        "E203",
        "a reference where none can stand, or whose value cannot stand there",
        "A list or an object cannot be filled into text. Titles and tool names are the same for "
        "all rows. What a reply says is one value, and not nothing.",
        "Take one value out of it, or write the text out.",
        'item answers { check reply contains "" }',
    ),
    Code(
        "E204",
        "a regular expression that Python's `re` does not take",
        "Expressions between `/…/` are those of Python's `re`, which reads them when the spec is "
        "compiled, and not when the first dialogue is scored.",
        "Correct the expression; a backslash before a sign takes its meaning away.",
        "item answers { check reply matches /(KF12/ }",
    ),
    Code(
        "E205",
        "a template that is used with the wrong number of arguments",
        "Every parameter of a template gets a value where it is used.",
        "Give as many arguments as the template has parameters, in their order.",
        'import "library.cm2"\n\ntask trip {\n  turn ask { user "Hello" use grounded() }\n}',
    ),
)
