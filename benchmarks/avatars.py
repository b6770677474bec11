"""How many avatars are drawn a second? One process, one core, processor time.

python benchmarks/avatars.py [pictures]
"""

import platform
import sys
import time

from difftool.builtin.avatar_paint import draw
from difftool.builtin.avatars import Avatars

SIZES = (16, 32, 64, 128, 256)


def main() -> None:
    """Prints one table: pictures a second at each size, colour and grey."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for index in range(200):  # outlines are made once
        draw(Avatars(), index)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {count} pictures each")
    print(f"{'size':>6}{'colour':>10}{'grey':>10}   pictures a second")
    for size in SIZES:
        rates = []
        for channels in (3, 1):
            recipe = Avatars(size=size, channels=channels)
            draw(recipe, 0)
            start = time.process_time()
            for index in range(count):
                draw(recipe, index)
            rates.append(count / (time.process_time() - start))
        print(f"{size:>6}{rates[0]:>10.0f}{rates[1]:>10.0f}")


if __name__ == "__main__":
    main()
