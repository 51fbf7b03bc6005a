"""``python -m snnbook``."""

import sys

from snnbook.cli import main

sys.exit(main())
