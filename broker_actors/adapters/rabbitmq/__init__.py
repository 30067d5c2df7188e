"""RabbitMQ as the broker, through aio-pika's connections and aiormq's channels."""
