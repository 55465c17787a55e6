"""Draw the densities of states of evaluations: python plot_densities.py FILE.png PK PK …"""

import sys

import matplotlib.pyplot as plt
from aiida import load_profile, orm

from aiida_inversedesign.nodes.curves import curves_of

load_profile()
target, *pks = sys.argv[1:]
figure, axes = plt.subplots(1, len(pks), figsize=(5 * len(pks), 3.2), squeeze=False)
for ax, pk in zip(axes[0], pks, strict=True):
    node = orm.load_node(int(pk))
    for name, curve in curves_of(node.outputs.curves).items():
        word = name.removeprefix('density_of_states').strip('_') or 'all'
        # what has a further word is a projection of one element
        if '_' not in word:
            ax.plot(curve.grid, curve.values, 'k' if word == 'all' else '', label=word)
    value = node.outputs.properties['dos_at_fermi']['value']
    formula = node.outputs.relaxed.get_formula()
    ax.axvline(0, color='grey', ls=':')
    ax.set(xlim=(-14, 5), ylim=(0, None), xlabel='energy (eV)', ylabel='states/eV/atom')
    ax.set_title(f'{formula}, at the Fermi level: {value:.2f}')
    ax.legend(frameon=False)
figure.tight_layout()
figure.savefig(target, dpi=110)
