"""`python -m sipreplay`: the command line."""

from sipreplay.cli import main

if __name__ == "__main__":
    main()
