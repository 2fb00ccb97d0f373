"""`python -m rtasmr`."""

from rtasmr.cli import main

main()
