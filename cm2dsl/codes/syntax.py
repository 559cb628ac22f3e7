"""E0: what is written is not in the language."""

from cm2dsl.codes.code import Code

CODES = (
    Code(
        "E001",
        "a word, a sign or the end of the file where something else is expected",
        "The text is not in the language from here on. The help says what could have come, or "
        "names the word that was probably meant; a brace that is missing is looked for where the "
        "indentation goes wrong.",
        "Correct the word. Signs of a Chinese keyboard, such as `（` or `“`, count only inside "
        "strings.",
        "itme answers { check replied }",
    ),
    Code(
        "E002",
        "a string without an end",
        'A `"…"` string goes on over lines until its closing quote, and so does `"""…"""`. Without '
        "one, everything after it is text.",
        'Close the string, or write `\\"` for a quote inside it.',
        'item answers { check reply contains "KF12 }',
    ),
    Code(
        "E003",
        "an unknown escape in a string, or half a character",
        'A backslash in a string begins one of `\\n` `\\t` `\\"` `\\\\` `\\{` `\\}` and `\\u` '
        "with four hex digits. What looks like another escape is more often a mistake than text.",
        "Write `\\\\` for a backslash. Characters beyond four hex digits are written as they are.",
        r'item answers { check reply contains "C:\path" }',
    ),
    Code(
        "E004",
        "no edition, or an unknown one",
        "A file begins with the edition of the language that it is written in, so that its meaning "
        "never changes under it.",
        "Begin the file with `cm2 1`.",
        "cm2 7\n\ndomain air",
    ),
    Code(
        "E005",
        "brackets or `not` nested too deep",
        "A check that goes 32 levels deep is read by nobody, and was written by a program that "
        "went wrong.",
        "Split the check over several items.",
        f"item answers {{ check {'(' * 40}replied{')' * 40} }}",
    ),
)
