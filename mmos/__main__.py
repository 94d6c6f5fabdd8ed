"""`python -m mmos`."""

import os
import sys

if __name__ == "__main__":
    # Python has put the working folder in front of everything: what is there is no part of ours.
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109  # importing more comes after this
        del sys.path[0]
    from mmos.cli.main import main

    main()
