"""One file, one kind of drill: the file's name is what is typed, its DRILL the value."""

from core.plugins import Plugins
from experiments.studies.drills.drill import Drill

DRILLS: Plugins[Drill] = Plugins(__name__, __path__, "DRILL")
