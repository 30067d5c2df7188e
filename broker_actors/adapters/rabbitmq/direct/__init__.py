"""Deliveries, acknowledgements, publications and confirms past the client library.

The library opens connections and channels, declares, consumes, keeps heartbeats and notices every
end. What comes a thousand times a second goes by here instead: it costs the library several
tasks, futures and frame objects for each message. Reader and writer of the socket are ours by
the library's own transport factory, so frames of a channel can be taken off before the library
sees them, and written between its own.

Invariants: a frame is taken off only from a channel whose owner asked for it, all others reach the
library as they came; nothing is written to a channel after its close has passed in either
direction; a message written here looks exactly as the library would have written it.

`releases` says for which releases of the library this was verified. With any other one nothing
here is used, and everything goes the public way.
"""
