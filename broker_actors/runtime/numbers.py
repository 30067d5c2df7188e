"""What one activation has accepted of each sender, and what the next commit adds to that.

Invariant: what is in here is what the store holds, and numbers that were closed without a
turn. Those are written with the next commit of the same sender; if the activation is lost
before, a hole remains that costs a few bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from broker_actors.core.address import Address
from broker_actors.core.dedup import HOLES_MAX, Accepted
from broker_actors.core.envelope import Envelope
from broker_actors.core.reply import Reply
from broker_actors.core.turn import FRESH, Duplicate, Fresh, Unknowable
from broker_actors.ports.commit import Acceptance, Claim
from broker_actors.ports.store import Store

#: What was accepted of a sender is kept this long after it was last heard of.
SENDER_KEPT_SECONDS: Final = 86_400
#: How far the clocks of senders and workers may be apart.
SKEW_MS: Final = 60_000
#: Replies forgotten, and senders forgotten, with one commit.
DROPPED_MAX: Final = 1_000
FORGOTTEN_MAX: Final = 100
_KEPT_MS: Final = SENDER_KEPT_SECONDS * 1000
_NONE_DROPPED: Final = (0, 0)
#: Above all numbers of senders, which have 64 bits.
_ANY_NUMBER: Final = 2**64


class Numbers:
    """The numbered envelopes of one activation."""

    __slots__ = ("_address", "_answered_to", "_forgotten_ms", "_has_all", "_oldest_ms", "_store", "known")

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._address: Address = claim.address
        #: By sender, what was accepted of it; a sender that is not there may be known to the store.
        self.known: dict[str, Accepted] = dict(claim.senders)
        #: Above it no reply is kept of any sender's asks: what others committed, this activation has found
        #: accepted; what it commits itself is added. One number, for there are many idle actors.
        self._answered_to = max((one.high for one in self.known.values()), default=0)
        self._has_all = claim.has_all_senders
        self._forgotten_ms = claim.forgotten_ms
        #: Nobody known was last heard of before that.
        self._oldest_ms = min((one.last_ms for one in self.known.values()), default=0)

    async def look_up(self, envelope: Envelope, now_ms: int) -> Fresh | Duplicate | Unknowable:
        """Return whether the numbered *envelope* was accepted before; raises what the store raises."""
        accepted = self.known.get(envelope.sender) or await self.of(envelope.sender)
        if envelope.seq in accepted:
            reply = None
            if envelope.is_ask:
                reply = await self._store.answered(self._address, envelope.sender, envelope.seq)
            return Duplicate(reply)
        # One more number makes one more hole at most. A release that remembers more may have left more.
        is_full = len(accepted.holes) >= HOLES_MAX and accepted.plus(envelope.seq) is None
        if is_full or self._was_forgotten(envelope, accepted):
            return Unknowable(now_ms)
        return FRESH

    def is_next(self, envelope: Envelope) -> bool:
        """Return whether the numbered *envelope* comes next, and every number before it has come."""
        accepted = self.known.get(envelope.sender)
        return accepted is not None and 0 < accepted.high == envelope.seq - 1 and not accepted.holes

    def close(self, envelope: Envelope) -> None:
        """Take note that *envelope* will never run, so that its number is no hole."""
        accepted = self.known.get(envelope.sender)
        if accepted is not None and envelope.seq and (more := accepted.plus(envelope.seq)) is not None:
            self.known[envelope.sender] = more

    def acceptance(
        self, envelope: Envelope, answer: Reply | None, retention_seconds: int, now_ms: int
    ) -> Acceptance | None:
        """Return what the commit of the numbered *envelope*, of a known sender, has to add.

        None if there is no room for its number.
        """
        sender, seq = envelope.sender, envelope.seq
        before = self.known[sender]
        low, dropped = before.low, _NONE_DROPPED
        if envelope.low > low:
            low = min(envelope.low, low + DROPPED_MAX)
            if before.low <= (answered := self._answered_to):
                dropped = (before.low, min(low, answered + 1))
        accepted = before.heard(seq, low, now_ms)
        if accepted is None:
            return None
        if answer is not None:
            self._answered_to = max(seq, self._answered_to)
        stale: tuple[str, ...] = ()
        forgotten_ms = self._forgotten_ms
        if now_ms - _KEPT_MS >= self._oldest_ms and (stale := self._stale(envelope, now_ms)):
            forgotten_ms = max((forgotten_ms, *(self.known[sender].last_ms for sender in stale)))
        return Acceptance(sender, seq, accepted, answer, retention_seconds, dropped, stale, forgotten_ms)

    async def parkable(
        self, envelopes: Sequence[Envelope], now_ms: int
    ) -> tuple[list[bool], dict[str, Accepted]]:
        """Return which of *envelopes* may be accepted now, and what then is accepted of their senders.

        Those of which it is known, or cannot be known, whether they have run are left to a turn.
        Raises what the store raises.
        """
        found: list[bool] = []
        accepted: dict[str, Accepted] = {}
        for envelope in envelopes:
            sender = envelope.sender
            if not (sender and envelope.seq):
                found.append(True)
                continue
            before = accepted.get(sender) or await self.of(sender)
            after = before.plus(envelope.seq)
            is_new = after is not None and after is not before and not self._was_forgotten(envelope, before)
            found.append(is_new)
            if is_new and after is not None:
                accepted[sender] = replace(after, last_ms=now_ms)
        return found, accepted

    def parked(self, accepted: Mapping[str, Accepted]) -> None:
        """Take note that *accepted* is in the store."""
        self.known.update(accepted)

    def committed(self, acceptance: Acceptance) -> None:
        """Take note that *acceptance* is in the store."""
        self.known[acceptance.sender] = acceptance.accepted
        self._forgotten_ms = acceptance.forgotten_ms
        for sender in acceptance.forget:
            self.known.pop(sender, None)

    def _stale(self, envelope: Envelope, now_ms: int) -> tuple[str, ...]:
        """Return senders to forget, unheard of for long; not that of *envelope*, heard of now."""
        # Not by the time it is now: what waited while all workers were away must be through first.
        until_ms = min(now_ms, envelope.sent_seconds * 1000) - _KEPT_MS
        if until_ms < self._oldest_ms:
            return ()
        known = {sender: one.last_ms for sender, one in self.known.items() if one.high}
        stale = [s for s, last_ms in known.items() if last_ms < until_ms and s != envelope.sender]
        # Those that stay were all heard of later, or are looked at again with the next commit.
        kept = known.keys() - set(stale[:FORGOTTEN_MAX])
        self._oldest_ms = min((known[sender] for sender in kept), default=0)
        return tuple(stale[:FORGOTTEN_MAX])

    def _was_forgotten(self, envelope: Envelope, accepted: Accepted) -> bool:
        """Return whether what was accepted of the sender of *envelope* may have been forgotten since."""
        if accepted.high or not self._forgotten_ms:
            return False
        return envelope.sent_seconds * 1000 < self._forgotten_ms + SKEW_MS

    async def of(self, sender: str) -> Accepted:
        """Return what was accepted of *sender*, who is known from now on; raises what the store raises."""
        accepted = self.known.get(sender)
        if accepted is None:
            found = None if self._has_all else await self._store.accepted(self._address, sender)
            accepted = self.known[sender] = found or Accepted()
            # Who was forgotten may have been known, and replies to it may still be kept.
            may_be_known = found is None and self._forgotten_ms
            self._answered_to = max(self._answered_to, _ANY_NUMBER if may_be_known else accepted.high)
        return accepted
