"""L0: the comments that allow findings of lint."""

from cm2dsl.codes.code import Code

CODES = (
    Code(
        "L001",
        "a comment that allows a finding and gives no reason, or has nothing to allow",
        "An allowance switches a rule off for a line, and a reviewer has to be able to judge that. "
        "One without a reason allows nothing. One that has become idle would hide the next finding "
        "on its line.",
        "Write the reason behind a colon, or take the comment out. This code itself cannot be "
        "allowed.",
        'item answers { ask "Is the reply appropriate?" fail "Names none" }  # lint: allow L203',
        severity="warning",
    ),
)
