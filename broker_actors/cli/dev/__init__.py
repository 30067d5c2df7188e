"""`broker-actors dev`: everything in one process, and a prompt to try actors out with.

`command` is the command, `prompt` reads lines, `shell` carries them out.
"""
