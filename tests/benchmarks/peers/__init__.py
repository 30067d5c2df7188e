"""The other task queues on RabbitMQ, each as its documentation recommends it for throughput.

All have what the platform has: a quorum queue, persistent messages, awaited confirms, an
acknowledgement after the work, one process on each side, no logging, no results kept. Each publishes
its own messages and drains those. A drain ends with the work of the last message, before its
acknowledgement, which favours the peers a little.
"""
