"""Makes the fixture `actors` known."""

pytest_plugins = ["broker_actors.testing.fixtures"]
