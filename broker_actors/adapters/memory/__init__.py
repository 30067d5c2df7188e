"""Broker, store and reply channels inside one process: for tests, simulation and the embedded system."""
