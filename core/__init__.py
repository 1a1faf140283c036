"""Foundation of all packages: errors, messages, files, options, plug-ins, units, text tables. Starts no Spark and no service."""

from core.python_worker import quicken_python_worker

quicken_python_worker()  # every Python task of ours imports this package, in whichever worker it runs
