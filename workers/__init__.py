"""Runnable daemons: actors to start with `broker-actors worker workers.<name>`. Not part of the wheel."""
