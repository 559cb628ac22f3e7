"""`cm2c lint`: what compiles, and still should not be rewarded.

rule.py       what a rule is: it finds, explains itself and holds its own examples
subject.py    the spec that rules look at
rules/        one rule a file; a new file is a new rule
suppress.py   comments that allow a finding, with a reason
fix.py        the edits of fixes, applied
run.py        a file and the rules: what is found
output/       one format a file
"""
