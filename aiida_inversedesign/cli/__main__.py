"""``python -m aiida_inversedesign.cli``: the same as the command ``aiida-inversedesign``."""

from aiida_inversedesign.cli import cli

if __name__ == '__main__':
    cli(prog_name='aiida-inversedesign')
