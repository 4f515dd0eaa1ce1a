"""`python -m chaos.doubles.house`."""

import sys

from .process import main

sys.exit(main())
