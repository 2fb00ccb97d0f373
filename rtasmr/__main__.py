"""`python -m rtasmr`."""

from rtasmr.cli import main

if __name__ == "__main__":
    main()
