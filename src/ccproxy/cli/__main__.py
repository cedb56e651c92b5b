"""``python -m ccproxy.cli`` is ``ccproxy``."""

import sys

from ccproxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
