"""What a dialogue earns: from the facts of a dialogue, and a judge's verdicts, to rewards.

The runtime scores with it; `cm2c test`, `cm2c diff` and `cm2c lint` ask it what a spec would pay.
"""
