"""Judging a deployment: facts in, findings out.

What belongs here: the facts somebody gathered from a broker or a store, as data, and what they
mean for the platform. Gathering them is the adapters' part. Invariant: nothing here asks anybody.
"""
