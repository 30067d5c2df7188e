"""A worker: the life of the process that runs actors, from starting to stopped."""
