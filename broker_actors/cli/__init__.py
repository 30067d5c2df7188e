"""The command line: `broker-actors`. Needs the extra `cli`; nothing below imports it."""
