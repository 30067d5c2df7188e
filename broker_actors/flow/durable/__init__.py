"""Flows as actors: each node is a turn, what the nodes share is durable state.

`run.py` is what is stored, `moves.py` decides what comes next, `visiting.py` runs the user's functions,
`actor.py` is the actor around them. Invariant: nothing of a run is kept outside of its actor's state but
what runs in this process at this moment.
"""
