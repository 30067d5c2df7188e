"""Observers: what happened, as log records and counters. They watch and decide nothing."""
