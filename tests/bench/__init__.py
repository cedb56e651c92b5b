"""How much ccproxy costs, beside plain mitmdump, nginx and no proxy at all: ``python -m tests.bench [--quick]``.

One run, everything on loopback, our own load generator (``load``) and provider (``provider``). The contenders take
turns (A B C D A B C D …), so that a slow minute of the machine hits all of them; a number is the median of its rounds,
a ratio the median of the rounds' ratios. What misses its goal is printed as MISSED.
"""
