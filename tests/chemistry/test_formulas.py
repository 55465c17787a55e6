"""Formulas as people write them: read as they are meant, or refused with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.formulas import FormulaError, parse_formula, reduced_formula, remarks_on
from aiida_inversedesign.chemistry.symbols import SYMBOLS

BLUE = {'Cu': 1, 'S': 1, 'O': 9, 'H': 10}
HEMIHYDRATE = {'Ca': 2, 'S': 2, 'O': 9, 'H': 2}


@pytest.mark.parametrize(
    ('formula', 'counts'),
    [
        *(
            (text, BLUE)
            for text in (
                *('CuSO4.5H2O', 'CuSO4·5H2O', 'CuSO4*5H2O', 'CuSO4 · 5 H2O', 'CuSO4 . 5H2O', 'CuSO4•5H2O'),
                *('CuSO4⋅5H2O', 'CuSO4∙5H2O', 'CuSO₄·5H₂O', 'CuSO₄.5H₂O', 'CuSO4·5(H2O)', 'CuSO4(H2O)5'),
                *('CuSO4 x 5 H2O', 'CuSO_4.5H_2O', '$CuSO_{4}\\cdot 5H_{2}O$', '\\ce{CuSO4.5H2O}', 'ＣuSO4·5H2O'),
                *('CuSO<sub>4</sub>·5H<sub>2</sub>O', 'CuSO4.5\u00a0H2O', 'CuSO4.5D2O', '5H2O.CuSO4'),
            )
        ),
        *(
            (text, HEMIHYDRATE)
            for text in ('CaSO4.0.5H2O', 'CaSO4·0.5H2O', 'CaSO4.1/2H2O', 'CaSO4·½H2O', 'CaSO₄·½H₂O', '2CaSO4.H2O')
        ),
        ('Na2CO3 . 10 H2O', {'Na': 2, 'C': 1, 'O': 13, 'H': 20}),
        ('3CaO.Al2O3', {'Ca': 3, 'Al': 2, 'O': 6}),
        ('CaO.Al2O3.2SiO2', {'Ca': 1, 'Al': 2, 'Si': 2, 'O': 8}),
        ('3CaO·Al2O3·3CaSO4·32H2O', {'Ca': 6, 'Al': 2, 'S': 3, 'O': 50, 'H': 64}),
        ('KAl(SO4)2.12H2O', {'K': 1, 'Al': 1, 'S': 2, 'O': 20, 'H': 24}),
        ('Li0.5CoO2.2H2O', {'Li': 1, 'Co': 2, 'O': 8, 'H': 8}),
        ('Li0.5CoO2', {'Li': 1, 'Co': 2, 'O': 4}),
        ('Li_{0.5}CoO2', {'Li': 1, 'Co': 2, 'O': 4}),
        ('Li₀.₅CoO₂', {'Li': 1, 'Co': 2, 'O': 4}),
        ('Li1/2CoO2', {'Li': 1, 'Co': 2, 'O': 4}),
        ('Li0.333CoO2', {'Li': 1, 'Co': 3, 'O': 6}),
        ('La1.85Sr0.15CuO4', {'La': 37, 'Sr': 3, 'Cu': 20, 'O': 80}),
        ('Bi2.1Sr1.9CaCu2O8', {'Bi': 21, 'Sr': 19, 'Ca': 10, 'Cu': 20, 'O': 80}),
        ('YBa2Cu3O6.5', {'Y': 2, 'Ba': 4, 'Cu': 6, 'O': 13}),
        ('Bi_{2.1}Sr2CaCu2O8', {'Bi': 21, 'Sr': 20, 'Ca': 10, 'Cu': 20, 'O': 80}),
        ('TiO₂', {'Ti': 1, 'O': 2}),
        ('ＴｉＯ２', {'Ti': 1, 'O': 2}),
        ('$\\mathrm{CaCO}_3$', {'Ca': 1, 'C': 1, 'O': 3}),
        ('Fe 2 O 3', {'Fe': 2, 'O': 3}),
        ('Ca[CO3]', {'Ca': 1, 'C': 1, 'O': 3}),
        ('Li\u200b2O', {'Li': 2, 'O': 1}),
        ('No', {'No': 1}),
    ],
)
def test_spellings(formula: str, counts: dict[str, int]) -> None:
    assert parse_formula(formula) == counts


@pytest.mark.parametrize(
    ('formula', 'reduced', 'remark'),
    [
        ('Fe(III)2O3', 'Fe2O3', 'oxidation'),
        ('Fe2(III)O3', 'Fe2O3', 'oxidation'),
        ('Fe^{III}2O3', 'Fe2O3', 'oxidation'),
        ('Mn(IV)O2', 'MnO2', 'oxidation'),
        ('Fe(+3)2O3', 'Fe2O3', 'charges'),
        ('Ce⁴⁺O2', 'CeO2', 'charges'),
        ('Na⁺Cl⁻', 'NaCl', 'charges'),
        ('Ca²⁺CO₃²⁻', 'CaCO3', 'charges'),
        ('[NH4]+Cl-', 'H4NCl', 'charges'),
        ('D2O', 'H2O', 'isotopes'),
        ('¹³CO₂', 'CO2', 'isotopes'),
        ('^{13}CO2', 'CO2', 'isotopes'),
        ('[13C]O2', 'CO2', 'isotopes'),
        ('^6Li2O', 'Li2O', 'isotopes'),
    ],
)
def test_what_is_not_kept_is_said(formula: str, reduced: str, remark: str) -> None:
    assert reduced_formula(parse_formula(formula)) == reduced
    assert [remark in text for text in remarks_on(formula)] == [True]


@pytest.mark.parametrize(
    ('formula', 'why'),
    [
        ('Fe³⁺', r'has the charge 3\+'),
        ('Fe2O3^2-', 'has the charge 2−'),
        ('SO4 2-', 'has the charge 2−'),
        ('SO4^{2-}', 'has the charge 2−'),
        ('SO4(2-)', 'has the charge 2−'),
        ('[NH4]+', r'has the charge \+'),
        ('Na+', r'has the charge \+'),
        ('Fe(CN)6³⁻', 'has the charge 3−'),
        ('Fe3+', 'may be an amount or a charge'),
        ('SO4-2', 'may be an amount or a charge'),
        ('Y-ZrO2', 'write a dot · between parts'),
        ('Cu(I)2O', 'may be an oxidation state or the element I'),
        ('V(V)2O5', 'may be an oxidation state or the element V'),
        ('FeIIO', 'II is an oxidation state'),
        ('Bi2.1Sr2CaCu2O8', r'Bi_\{2.1\}Sr2CaCu2O8 .* Bi2·1Sr2CaCu2O8'),
        ('CaO2.3SiO2', r'CaO_\{2.3\}SiO2 .* CaO2·3SiO2'),
        ('Li.5CoO2', r'Li_\{.5\}CoO2 .* Li·5CoO2'),
        ('NaCl1.5H2O', 'two ways'),
        ('Na0.35CoO2.1.3H2O', 'two ways'),
        ('CuSO4 5H2O', 'write a dot'),
        ('MgO 2H2O', 'write a dot'),
        ('Li0.0001CoO2', 'would remove it'),
        ('Li0.00149CoO2', 'would change it'),
        ('Li0O', 'not above 0'),
        ('H02', 'begins with a zero'),
        ('Li2.', 'nothing stands'),
        ('CaO·', 'nothing stands'),
        ('·5H2O', 'nothing stands'),
        ('Ca()O', 'nothing stands'),
        ('Ca(OH', 'not closed'),
        ('CaOH)2', 'not opened'),
        ('TiO²', 'write amounts after the element'),
        ('CuSO4·xH2O', "'x'"),
        ('СaO', 'CYRILLIC CAPITAL LETTER ES'),
        ('Li0,5CoO2', 'decimals with a point'),
        ('Li1e-3O', 'is not part'),
        ('Qq2', 'not an element'),
        ('nacl', 'did you mean NaCl'),
        ('NACL', 'did you mean NaCl'),
        ('caco3', 'CaCO3'),
        ('Tio2', 'did you mean TiO2'),
        ('(' * 100, 'nested'),
        ('9' * 30 + 'O', 'not an amount'),
    ],
)
def test_what_cannot_be_a_composition_is_refused(formula: str, why: str) -> None:
    with pytest.raises(FormulaError, match=why):
        parse_formula(formula)


@given(
    st.lists(
        st.tuples(st.sampled_from(SYMBOLS[:94]), st.decimals('0.05', 9, places=2)),
        min_size=1,
        max_size=5,
        unique_by=lambda item: item[0],
    )
)
def test_decimals_in_subscripts_are_exact(units: list[tuple[str, object]]) -> None:
    counts = parse_formula(''.join(f'{symbol}_{{{amount}}}' for symbol, amount in units))
    (first, amount), *_ = units
    assert all(
        float(counts[symbol]) * float(amount) == pytest.approx(float(counts[first]) * float(other), rel=1e-12)  # type: ignore[arg-type]
        for symbol, other in units
    )


@given(st.text('CaOHSL0123456789.·()[]{}^_+-*/ xI²₂', max_size=25))
def test_nothing_else_is_raised(text: str) -> None:
    try:
        counts = parse_formula(text)
    except FormulaError:
        return
    assert counts
    assert all(count > 0 for count in counts.values())
