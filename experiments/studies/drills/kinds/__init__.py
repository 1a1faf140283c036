"""One file, one kind of drill: the file's name is what is typed, its DRILL the value."""

import pkgutil
from importlib import import_module

from experiments.studies.drills.drill import Drill

DRILLS: dict[str, Drill] = {
    module.name: import_module(f"{__name__}.{module.name}").DRILL for module in pkgutil.iter_modules(__path__)
}
