"""`python -m broker_actors.cli`: the command line without the installed script."""

from broker_actors.cli.main import main

if __name__ == "__main__":
    main()
