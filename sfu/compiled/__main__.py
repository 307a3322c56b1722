"""``python -m sfu.compiled``: compile everything now, so that the first server does not have to."""

import importlib
import pkgutil

import sfu.compiled

for module in pkgutil.iter_modules(sfu.compiled.__path__):
    if module.name != "__main__":
        importlib.import_module(f"sfu.compiled.{module.name}")
