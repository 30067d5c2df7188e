"""The decisions of the platform, and nothing else.

What belongs here: values and pure functions over them. No asyncio, no clock, no
randomness, no logging, no driver: time and randomness come in as arguments, so that
every decision can be replayed and property-tested.
"""
