"""A trip: two bookings, a question to a person, and a way back."""

from typing import Any

from broker_actors import BusinessError, Ref, actor
from broker_actors.flow import DurableFlow, Flow, Node, ParallelBatchNode, Wait


class Book(ParallelBatchNode):
    """Books everything at once; each booking is a turn of an actor of its own."""

    def prep(self, shared: dict[str, Any]) -> list[str]:
        return shared["wishes"]

    async def exec(self, prep_res: str) -> str:
        return f"{prep_res} booked"

    def post(self, shared: dict[str, Any], prep_res: list[str], exec_res: list[str]) -> None:
        shared["bookings"] = exec_res

    def compensate(self, shared: dict[str, Any], exec_res: list[str]) -> None:
        shared["given back"] = exec_res


class Approve(Wait):
    """Waits for a person."""

    def prep(self, shared: dict[str, Any]) -> None:
        shared["waits for"] = self.promise  # here: put it into a mail

    def accept(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise BusinessError("yes_or_no", "say true or false")
        return value

    def post(self, shared: dict[str, Any], prep_res: None, exec_res: bool) -> str:
        return "yes" if exec_res else "no"


class Pay(Node):
    def exec(self, prep_res: None) -> None:
        raise ConnectionError("the card is refused")


class Decline(Node):
    def post(self, shared: dict[str, Any], prep_res: None, exec_res: None) -> str:
        return "declined"


book, approve = Book(concurrency=2), Approve(timeout=3 * 86_400)
book >> approve
approve - "yes" >> Pay(max_retries=3)
approve - "no" >> Decline()


@actor
class Trip(DurableFlow):
    flow = Flow(start=book)


class TripRef(Trip, Ref): ...
