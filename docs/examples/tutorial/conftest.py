"""Makes the fixture `actors` known to the tests in this folder."""

pytest_plugins = ["broker_actors.testing.fixtures"]
