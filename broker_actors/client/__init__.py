"""The calling side: envelopes out, replies in, every wait with a deadline."""
