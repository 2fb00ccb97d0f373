"""`python -m rtasmr.sources`: `rtasmr source` without the rest, for a source that has to start fast."""

import sys

from rtasmr import console
from rtasmr.sources.cli import app

if __name__ == "__main__":
    sys.exit(console.run(app))
