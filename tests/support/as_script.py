"""`-m as_script FOLDER OUTPUT ERRORS SCRIPT ...`: `cd FOLDER; python SCRIPT ... >OUTPUT 2>ERRORS`.

For forks, which run modules and have imported a few of the project's already.
"""

import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    folder, output, errors, script, *arguments = sys.argv[1:]
    os.chdir(folder)
    for path, descriptor in ((output, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), descriptor)
    for name in [name for name in sys.modules if name.partition(".")[0] == "scripts"]:
        del sys.modules[name]
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
