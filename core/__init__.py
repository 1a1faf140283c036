"""Foundation of all packages: errors, atomic files, locks, typed options and plug-ins. Knows no Spark and no service."""

from core.python_worker import quicken_python_worker

quicken_python_worker()  # every Python task of ours imports this package, in whichever worker it runs
