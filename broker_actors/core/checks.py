"""Whether a value is of the kind that it is declared to be.

Type checkers see to that, but not everybody uses one, and what reads a file may pass anything.
"""


def is_whole(value: object) -> bool:
    """Return whether *value* is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Return whether *value* is a text."""
    return isinstance(value, str)
