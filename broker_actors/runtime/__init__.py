"""The worker's side of a message: lanes, activations, turns.

`turn.py` is the spine; read it first. What belongs here performs what core decides, on
ports; nothing here knows a driver.
"""
