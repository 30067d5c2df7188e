"""`broker-actors demo`: a small order-processing story that checks itself.

`actors` is what a user would write, `story` what happens to them; `stage` is where it
plays, `playing` runs it, `command` prints it.
"""
