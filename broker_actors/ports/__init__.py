"""What the platform needs from the outside world, as Protocols.

Each method states its guarantee and what it raises. One conformance suite per port
runs on every adapter, so a guarantee written here is a guarantee tested there.
"""
