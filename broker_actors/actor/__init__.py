"""What a user writes: actor classes, methods, refs and `turn`.

What belongs here: reading declarations once, when a class is defined, and refusing what
cannot work while the traceback still points at the class. Calls leave through the
`ports.calling.Caller` a ref was made with, or through the turn that runs. No I/O.
"""
