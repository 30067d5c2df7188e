"""Examining a RabbitMQ: gathers facts, judges nothing.

Invariant: nothing that exists is changed, and nothing that is missing is made. What a user may
do is found out by trying it on names that nobody has, and by a message that comes back.
"""
