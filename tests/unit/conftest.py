"""Makes the modules beside the tests importable: outcomes with invented numbers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
