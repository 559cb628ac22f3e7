"""The reward floor: what policies that have learnt nothing earn from a spec's checks.

pattern.py    a text in which a regular expression is found
arguments.py  arguments that a tool's schema allows
words.py      the words that a task's items look for
answers.py    what the tools answer
sight.py      what a task's checks can tell apart
policies.py   the policies, and the dialogues that they hold
scenes.py     what they act in: a task's users, tools and words, a row at a time
scoring.py    a dialogue scored as a rollout is
earn.py       what each policy earns in a task, and for which items
command.py    `cm2c floor`
"""
