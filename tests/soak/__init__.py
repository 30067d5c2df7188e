"""The soak: real servers, real workers and real senders, to whom everything happens that can.

What belongs here: starting them, doing things to them, writing down what was called and
what came of it. Whether that is right is for `tests/checker` to say, offline.
"""
