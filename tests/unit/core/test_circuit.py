"""When a circuit breaker lets calls through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_actors.core.circuit import Circuit, Closed, HalfOpen, Open, Rules
from broker_actors.core.errors import ConfigurationError

RULES = Rules(failures=3, reset_seconds=10.0, probes=1)


def opened(rules: Rules = RULES, now_seconds: float = 0.0) -> Circuit:
    circuit = Circuit()
    for _ in range(rules.failures):
        circuit = circuit.failed(circuit.number, rules, now_seconds)
    assert isinstance(circuit.phase, Open)
    return circuit


def test_failures_in_a_row_open_it_and_a_success_in_between_forgets_them() -> None:
    circuit = Circuit().failed(0, RULES, 0).failed(0, RULES, 0).succeeded(0)
    assert circuit == Circuit()
    circuit = circuit.failed(0, RULES, 0).failed(0, RULES, 0)
    assert circuit.admit(RULES, 0) == (circuit, 0.0)
    assert circuit.failed(0, RULES, 5.0).phase == Open(15.0)


def test_open_it_lets_nothing_through_and_says_for_how_long() -> None:
    circuit = opened()
    assert circuit.admit(RULES, 4.0) == (circuit, 6.0)


def test_after_the_reset_one_probe_decides() -> None:
    circuit, wait_seconds = opened().admit(RULES, 10.0)
    assert (circuit.phase, wait_seconds) == (HalfOpen(1, 20.0), 0.0)
    assert circuit.admit(RULES, 12.0) == (circuit, 8.0)
    assert circuit.succeeded(circuit.number).phase == Closed()
    assert circuit.failed(circuit.number, RULES, 13.0).phase == Open(23.0)


def test_a_probe_that_was_given_up_makes_room_for_another() -> None:
    circuit, _ = opened().admit(RULES, 10.0)
    again, wait_seconds = circuit.given_up(circuit.number).admit(RULES, 11.0)
    assert (again, wait_seconds) == (circuit, 0.0)


def test_a_probe_that_never_ends_keeps_it_open_no_longer_than_the_reset() -> None:
    circuit, _ = opened().admit(RULES, 10.0)
    later, wait_seconds = circuit.admit(RULES, 20.0)
    assert (later.phase, wait_seconds) == (HalfOpen(1, 30.0), 0.0)
    # And what it says at last decides nothing.
    assert later.failed(circuit.number, RULES, 21.0) == later.succeeded(circuit.number) == later


def test_what_began_before_it_opened_decides_nothing() -> None:
    before = Circuit()
    circuit = opened()
    for late in (circuit, circuit.admit(RULES, 10.0)[0]):
        assert late.succeeded(before.number) == late
        assert late.failed(before.number, RULES, 50.0) == late
        assert late.given_up(before.number) == late


@given(
    st.builds(Rules, failures=st.integers(1, 4), reset_seconds=st.just(10.0), probes=st.integers(1, 3)),
    st.lists(st.tuples(st.sampled_from(["call", "ok", "fail", "drop"]), st.integers(0, 4)), max_size=80),
)
def test_probes_are_bounded_and_every_call_is_of_one_phase(
    rules: Rules, steps: list[tuple[str, int]]
) -> None:
    circuit, now_seconds = Circuit(), 0.0
    under_way: list[int] = []
    for what, n in steps:
        before, now_seconds = circuit, now_seconds + n
        if what == "call":
            circuit, wait_seconds = before.admit(rules, now_seconds)
            assert 0 <= wait_seconds <= rules.reset_seconds
            if wait_seconds == 0:
                under_way.append(circuit.number)
        elif under_way:
            number = under_way.pop(n % len(under_way))
            match what:
                case "ok":
                    circuit = before.succeeded(number)
                case "fail":
                    circuit = before.failed(number, rules, now_seconds)
                case _:
                    circuit = before.given_up(number)
        assert circuit.number >= before.number
        match circuit.phase:
            case HalfOpen(probes):
                assert probes == under_way.count(circuit.number) <= rules.probes
            case Closed(failures):
                assert failures < rules.failures
            case Open():
                assert circuit.number not in under_way
    # Whatever happened, it lets somebody through again.
    assert circuit.admit(rules, now_seconds + rules.reset_seconds)[1] == 0.0


@pytest.mark.parametrize("rules", [{"failures": 0}, {"probes": 0}, {"probes": 1_001}])
def test_rules_that_cannot_be_are_refused(rules: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        Rules(**rules)
