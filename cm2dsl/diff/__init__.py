"""What a change to a spec does to its reward: `cm2c diff`.

sources (what A and B name) → match (what became of what) → deciders (which verdicts are the same) →
table, forms, search (what they are worth) → compare (level by level) → output.
"""
