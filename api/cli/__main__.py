"""How does a process start another one of the same program? ``python -m api.cli``."""

from api.cli import main

main(prog_name="taizhang")
