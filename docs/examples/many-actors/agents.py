"""A thousand agents, of which a hundred are in memory."""

import asyncio

from broker_actors import ActorSystem, Ref, Settings, Worker, actor, method

AGENTS = 1_000


@actor(idle_timeout=60)
class Agent:
    heard: int = 0

    @method
    def hear(self, text: str) -> int:
        self.heard += len(text)
        return self.heard


class AgentRef(Agent, Ref):
    """A typed handle."""


async def main() -> None:
    async with ActorSystem(Settings(residents_max=100)) as system, Worker(system, Agent) as worker:
        agents = [system.ref(AgentRef, f"agent-{n:04}") for n in range(AGENTS)]
        print("agents that heard:", sum(await asyncio.gather(*(agent.hear("x") for agent in agents))))
        print("the first one wakes, and has heard before:", await agents[0].hear("yz"))
        print("in memory, about:", round(worker.residents, -2))


if __name__ == "__main__":
    asyncio.run(main())
