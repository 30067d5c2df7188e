"""A flow with a branch, a loop and retries."""

from typing import Any

from broker_actors.flow import Flow, Node


class Guess(Node):
    def prep(self, shared: dict[str, Any]) -> int:
        return shared["low"] + (shared["high"] - shared["low"]) // 2

    def exec(self, prep_res: int) -> int:
        if self.cur_retry == 0:
            raise ConnectionError("the first attempt fails")
        return prep_res

    def post(self, shared: dict[str, Any], prep_res: int, exec_res: int) -> str:
        print("guess", exec_res)
        if exec_res == shared["secret"]:
            return "found"
        shared["low" if exec_res < shared["secret"] else "high"] = exec_res
        return "again"


class Cheer(Node):
    def exec(self, prep_res: None) -> None:
        print("found it")


guess = Guess(max_retries=3, wait=0)
guess - "again" >> guess
guess - "found" >> Cheer()
flow = Flow(start=guess)

if __name__ == "__main__":
    flow.run({"low": 0, "high": 16, "secret": 10})
    print(flow.mermaid(current=guess))
