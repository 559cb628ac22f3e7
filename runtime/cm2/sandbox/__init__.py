"""The process that a Python backend runs in. It imports the standard library alone, and starts in
tens of milliseconds; `cm2.simulate.process` is the other end of its pipes."""
