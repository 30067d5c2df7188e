"""The order-processing story as a daemon: `broker-actors worker workers.orders`.

The actors are those of `broker-actors demo`, which lives in the package so that it works
from an installed wheel; read them there. While this worker runs, in another shell:

    broker-actors ask DemoInventory tea receive 10
    broker-actors ask DemoOrder o-1 place tea 3
    broker-actors ask --key o-1/pay DemoOrder o-1 pay 900
    broker-actors ask DemoOrder o-1 ship
    broker-actors ask DemoNotifier o-1 sent
"""

from broker_actors.cli.demo.actors import Inventory, Notifier, Order, Payment

__all__ = ["Inventory", "Notifier", "Order", "Payment"]
