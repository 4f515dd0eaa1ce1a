"""`python -m chaos.doubles.fpvtrackside`."""

import sys

from .program import main

sys.exit(main())
