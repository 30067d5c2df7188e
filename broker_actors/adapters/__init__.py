"""The outside world: everything that talks to a broker, a store, a clock or a random source."""
