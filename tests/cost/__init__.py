"""What a message costs, counted and not timed, so that the machine has no say in it.

`test_cost.py` holds each count to the number kept in `kept.json`: it may grow by a tenth. A change
that is worth more than that writes the numbers anew: `python -m tests.cost`.
"""
