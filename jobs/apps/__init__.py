"""One file, one job: the file's name is the key, its JOB the value."""

from core.plugins import Plugins
from jobs.runtime.context import Job

JOBS: Plugins[Job] = Plugins(__name__, __path__, "JOB")
