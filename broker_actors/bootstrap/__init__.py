"""The composition root: settings in, wired objects out.

The only place, with `testing`, that imports adapters.
"""
