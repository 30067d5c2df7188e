"""Every store against a model of a few lines: any sequence of calls gives the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from broker_actors.adapters.clock import SystemClock
from broker_actors.adapters.memory.store import MemoryStore
from broker_actors.adapters.redis.store import RedisStore
from broker_actors.core.suspension import Cause, Suspension
from broker_actors.core.turn import Committed, Conflict, Duplicate, Fenced, Fresh
from broker_actors.ports.commit import Claim, Commit, KeyedRecord, OutboxKey
from broker_actors.ports.parking import ParkingChange, ParkingSize
from broker_actors.ports.store import Store
from broker_actors.ports.suspensions import SuspensionChange
from tests.conformance.stores import ADAPTERS, Events, actor, key_of, record_of

T = TypeVar("T")

#: Few, so that calls meet; alike, so that key names are tested, too. The last two share a bucket.
ids = st.sampled_from(["a", "a:b", "1:a", "{a}", "c8", "c46"])
keys = st.sampled_from(["k", "b:k", ""])
digests = st.sampled_from([b"one", b"\0"])
nonces = st.sampled_from(["n1", "n2", "n3"])
states = st.none() | st.binary(max_size=4)
parkings = st.none() | st.builds(
    ParkingChange,
    pops=st.booleans(),
    head=st.none() | st.binary(max_size=3),
    appended=st.lists(st.binary(max_size=3), max_size=2).map(tuple),
    due_ms=st.integers(0, 9),
)
suspensions = st.none() | st.builds(
    SuspensionChange,
    st.none() | st.builds(Suspension, st.sampled_from(Cause), st.text(max_size=3), st.integers(0, 9)),
)
outboxes = st.lists(st.binary(max_size=3), max_size=3).map(tuple)


@dataclass
class ModelActor:
    """What the store must know of one actor."""

    holder: Claim | None = None
    version: int = 0
    state: bytes | None = None
    last: str = ""
    outbox: dict[OutboxKey, bytes] = field(default_factory=dict)
    records: dict[str, KeyedRecord] = field(default_factory=dict)
    parking: list[bytes] = field(default_factory=list)
    due_ms: int = 0
    suspension: Suspension | None = None


def is_used_up(model: ModelActor, record: KeyedRecord | None) -> bool:
    """Return whether another call has used the key of *record*."""
    if record is None or record.replaces:
        return False
    used = model.records.get(record.key)
    return used is not None and used.digest != record.digest


class StoreModel(RuleBasedStateMachine):
    """Calls a store and a model, and compares."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.actors: dict[str, ModelActor] = {}
        self.claims: list[Claim] = []
        self.commits: list[Commit] = []

    @initialize()
    def connect(self) -> None:
        self.store: Store = self.run(self.open())

    async def open(self) -> Store:
        if not self.url:
            return MemoryStore(SystemClock())
        # One server for all examples: each has a prefix nobody else uses.
        store = await RedisStore.connect(self.url, Events(), prefix=f"test-{uuid4().hex}")
        self.stack.push_async_callback(store.close)
        return store

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    def model(self, actor_id: str) -> ModelActor:
        return self.actors.setdefault(actor_id, ModelActor())

    @rule(actor_id=ids, nonce=nonces)
    def claim(self, actor_id: str, nonce: str) -> None:
        model = self.model(actor_id)
        claim = self.run(self.store.claim(actor(actor_id), nonce))
        assert (claim.version, claim.state, list(claim.outbox.items())) == (
            *(model.version, model.state),
            list(model.outbox.items()),
        )
        assert claim.parked == ParkingSize(len(model.parking), sum(map(len, model.parking)))
        assert claim.suspension == model.suspension
        if model.holder is not None and model.holder.nonce == nonce:
            assert claim.epoch == model.holder.epoch
        elif model.holder is not None:
            assert claim.epoch > model.holder.epoch
        model.holder = claim
        self.claims.append(claim)

    @rule(
        pick=st.integers(0, 5),
        back=st.integers(-1, 1),
        what=st.tuples(states, outboxes, parkings, suspensions),
        data=st.data(),
    )
    def commit(
        self,
        pick: int,
        back: int,
        what: tuple[bytes | None, tuple[bytes, ...], ParkingChange | None, SuspensionChange | None],
        data: st.DataObject,
    ) -> None:
        if not self.claims:
            return
        claim = self.claims[-1 - pick % len(self.claims)]
        claim = replace(claim, version=max(0, self.model(claim.address.id).version - back))
        record = data.draw(st.none() | st.builds(record_of, keys, digests, st.binary(max_size=3)))
        if record is not None:
            record = replace(record, replaces=data.draw(st.booleans()))
        state, outbox, parking, suspension = what
        nonce = f"turn {len(self.commits)}"
        self.send(Commit(claim, nonce, state, record, outbox, None, parking, suspension))

    @rule(pick=st.integers(0, 5))
    def commit_again(self, pick: int) -> None:
        if self.commits:
            self.send(self.commits[-1 - pick % len(self.commits)])

    def send(self, commit: Commit) -> None:
        self.commits.append(commit)
        model, claim = self.model(commit.claim.address.id), commit.claim
        expected: Committed | Fenced = Committed()
        holder = model.holder
        if model.last != commit.nonce:
            current = holder is not None and (holder.epoch, holder.nonce) == (claim.epoch, claim.nonce)
            if not current or commit.version != model.version or is_used_up(model, commit.record):
                expected = Fenced()
            elif commit.writes:
                self.write(model, commit)
        assert self.run(self.store.commit(commit)) == expected

    def write(self, model: ModelActor, commit: Commit) -> None:
        model.version += 1
        model.last = commit.nonce
        model.state = model.state if commit.state is None else commit.state
        model.outbox |= {key_of(commit.claim, model.version, n): item for n, item in enumerate(commit.outbox)}
        if commit.record is not None:
            model.records[commit.record.key] = commit.record
        if commit.suspension is not None:
            model.suspension = commit.suspension.suspension
        if (change := commit.parking) is not None:
            kept = model.parking[1:] if change.pops else model.parking
            if change.head is not None and not change.pops and kept:
                kept = [change.head, *kept[1:]]
            model.parking = [*kept, *change.appended]
            model.due_ms = change.due_ms

    @rule(
        actor_id=ids, version=st.integers(1, 9), indices=st.sets(st.integers(0, 3)), everything=st.booleans()
    )
    def dispatched(self, actor_id: str, version: int, indices: set[int], *, everything: bool) -> None:
        model = self.model(actor_id)
        if everything or model.holder is None:
            gone = list(model.outbox)
        else:
            gone = [key_of(model.holder, version, index) for index in indices]
        self.run(self.store.dispatched(actor(actor_id), gone))
        for key in gone:
            model.outbox.pop(key, None)

    @rule(actor_id=ids, key=keys, digest=digests)
    def look_up(self, actor_id: str, key: str, digest: bytes) -> None:
        record = self.model(actor_id).records.get(key)
        expected: Fresh | Duplicate | Conflict = Fresh()
        if record is not None:
            expected = Duplicate(record.reply) if record.digest == digest else Conflict()
        assert self.run(self.store.look_up(actor(actor_id), key, digest)) == expected

    @rule(actor_id=ids)
    def outbox(self, actor_id: str) -> None:
        found = self.run(self.store.outbox(actor(actor_id)))
        assert list(found.items()) == list(self.model(actor_id).outbox.items())

    @rule(actor_id=ids)
    def parking(self, actor_id: str) -> None:
        assert self.run(self.store.parking(actor(actor_id), limit=1_000)) == self.model(actor_id).parking

    @rule(actor_id=ids, due_ms=st.integers(0, 9))
    def make_due(self, actor_id: str, due_ms: int) -> None:
        self.run(self.store.make_due(actor(actor_id), due_ms))
        self.model(actor_id).due_ms = due_ms

    @rule()
    def suspended(self) -> None:
        found = self.run(self.store.suspended("Counter"))
        known = {name: model.suspension for name, model in self.actors.items() if model.suspension}
        assert {address.id: suspension for address, suspension in found} == known
        assert sorted(since := [one.since_ms for _, one in found]) == since

    @rule(due_ms=st.integers(0, 10))
    def parked(self, due_ms: int) -> None:
        found = self.run(self.store.parked("Counter", due_before_ms=due_ms))
        due = {name: model.due_ms for name, model in self.actors.items() if model.parking}
        assert {address.id for address in found} == {name for name in due if due[name] < due_ms}
        assert [due[address.id] for address in found] == sorted(due[address.id] for address in found)

    @rule()
    def parked_bytes(self) -> None:
        everything = [entry for model in self.actors.values() for entry in model.parking]
        assert self.run(self.store.parked_bytes("Counter")) == sum(map(len, everything))

    @invariant()
    def the_index_knows_who_has_an_outbox(self) -> None:
        if not self.claims:
            return
        found = self.run(self.store.undispatched("Counter", older_than_seconds=0))
        assert {a.id for a in found} == {actor_id for actor_id, model in self.actors.items() if model.outbox}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_any_sequence_of_calls_gives_the_answers_of_the_model(
    adapter: str, request: pytest.FixtureRequest
) -> None:
    redis_url = str(request.getfixturevalue("redis_url")) if adapter == "redis" else ""
    machine = type("Machine", (StoreModel,), {"url": redis_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
