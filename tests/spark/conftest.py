"""Makes `planted` importable by the tests of this folder and of those below it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
