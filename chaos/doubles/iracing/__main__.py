"""`python -m chaos.doubles.iracing`."""

import sys

from .program import main

sys.exit(main())
