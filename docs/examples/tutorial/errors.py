"""A refusal is answered, a fault is tried again."""

import asyncio

from bank import Account, AccountRef
from printers import Printer, PrinterRef

from broker_actors import ActorSystem, BusinessError, SystemFaultError, Worker


async def main() -> None:
    async with ActorSystem.connect() as system, Worker(system, Account, Printer):
        try:
            await system.ref(AccountRef, "mine").withdraw(100)
        except BusinessError as error:
            print(f"refused: {error.code}, {error}, {error.details}")

        printer = system.ref(PrinterRef, "office")
        print(await printer.print_statement(2))
        try:
            await printer.print_statement(99)
        except SystemFaultError as error:
            print(f"fault: {error}")
        print(await printer.print_statement(0))


if __name__ == "__main__":
    asyncio.run(main())
