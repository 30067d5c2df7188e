"""An old state meets the new class, and a new state the old one."""

import asyncio

from invoices import InvoiceRef, InvoiceV1, InvoiceV1Ref, InvoiceV2

from broker_actors import ActorSystem, Worker


async def main() -> None:
    async with ActorSystem.connect() as system:
        async with Worker(system, InvoiceV1):
            await system.ref(InvoiceV1Ref, "4711").bill("Ada", 12.5)
        invoice = system.ref(InvoiceRef, "4711")
        async with Worker(system, InvoiceV2):
            print(await invoice.shown())
        async with Worker(system, InvoiceV1):
            asking = asyncio.ensure_future(invoice.with_options(timeout=30).shown())
            try:
                await asyncio.wait_for(asyncio.shield(asking), 0.5)
            except TimeoutError:
                print("the old release waits for the new one")
        async with Worker(system, InvoiceV2):
            print(await asking)


if __name__ == "__main__":
    asyncio.run(main())
