"""`python -m eigentropy` is the command `eigentropy`."""

from eigentropy.cli.commands import main

if __name__ == "__main__":
    main()
