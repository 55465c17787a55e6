"""Makes ``element_prices.csv`` from the mendeleev package: ``python -m aiida_inversedesign.screen.compile_prices``.

Needs the extra ``elements``. Prices are mendeleev's ``price_per_kg`` in USD: bulk prices of the pure elements, which
change with the market and are good to an order of magnitude. Gaps stay gaps.
"""

from __future__ import annotations

import csv
import math
from importlib.metadata import version
from pathlib import Path

from aiida_inversedesign.chemistry.elements import element_table


def main() -> None:
    """Write the table beside this file."""
    from mendeleev.fetch import fetch_table

    prices = fetch_table('elements').set_index('symbol')['price_per_kg']
    source = f'mendeleev {version("mendeleev")}'
    with Path(__file__).with_name('element_prices.csv').open('w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['symbol', 'price_usd_per_kg', 'source'])
        for symbol in element_table().symbols:
            if not math.isnan(prices[symbol]):
                writer.writerow([symbol, f'{prices[symbol]:g}', source])


if __name__ == '__main__':
    main()
