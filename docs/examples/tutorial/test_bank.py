"""Tests of the bank."""

import pytest
from bank import Account, AccountRef
from transfers import Transfer, TransferRef

from broker_actors import BusinessError
from broker_actors.testing import Actors


async def test_a_deposit_adds_up(actors: Actors) -> None:
    assert await (await actors(Account)).ref(AccountRef, "mine").deposit(500) == 500


async def test_nobody_withdraws_what_is_not_there(actors: Actors) -> None:
    kit = await actors(Account)
    with pytest.raises(BusinessError, match="0 cents left"):
        await kit.ref(AccountRef, "mine").withdraw(100)


async def test_a_transfer_arrives(actors: Actors) -> None:
    kit = await actors(Account, Transfer)
    await kit.ref(AccountRef, "mine").deposit(1000)
    await kit.ref(TransferRef, "t1").execute.tell("mine", "yours", 300)
    await kit.settled()
    assert await kit.ref(AccountRef, "yours").balance() == 300


async def test_a_refused_tell_is_a_dead_letter(actors: Actors) -> None:
    kit = await actors(Account)
    await kit.ref(AccountRef, "mine").withdraw.tell(100)
    (letter,) = await kit.dead_letters(Account)
    assert (letter.reason, letter.error) == ("rejected", "BusinessError: 0 cents left")
