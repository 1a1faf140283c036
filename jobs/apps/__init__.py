"""One file, one job: the file's name is the key, its JOB the value."""

import pkgutil
from importlib import import_module

from jobs.runtime.context import Job

JOBS: dict[str, Job] = {
    module.name: import_module(f"{__name__}.{module.name}").JOB for module in pkgutil.iter_modules(__path__)
}
