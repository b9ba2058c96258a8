"""``python -m xcaliper``."""

from __future__ import annotations

import sys

from xcaliper.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
