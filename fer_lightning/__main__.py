"""``python -m fer_lightning``: an experiment, or one of the commands."""

import sys

from fer_lightning.cli import main

if __name__ == "__main__":
    sys.exit(main())
