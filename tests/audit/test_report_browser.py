"""The page in headless Chromium: no errors, no requests; it draws, sorts, filters and saves, on phones too."""

from __future__ import annotations

import csv
import json
import shutil
import time
from dataclasses import replace

import pytest
from made_points import made_points
from made_record import TWO, made_record
from test_report import hostile

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.report.html import write_report

CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason='chromium and chromedriver are not installed (apt install chromium-driver)'
)
FLAGS = (
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--hide-scrollbars',
)  # fmt: skip
RECORD = made_record(60, objectives=TWO, batch=10)


@pytest.fixture(scope='module')
def driver(tmp_path_factory):
    """A browser of its own."""
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f'--user-data-dir={tmp_path_factory.mktemp("chromium")}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    service = webdriver.ChromeService(DRIVER)
    with webdriver.Chrome(options=options, service=service) as browser:
        yield browser


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """The page of sixty evaluations, and one full of markup."""
    folder = tmp_path_factory.mktemp('pages')
    return {
        'plain': write_report(folder / 'plain.html', RECORD, audit(RECORD)),
        'hostile': write_report(folder / 'hostile.html', *hostile()),
        'points': write_report(folder / 'points.html', *(lambda r: (r, audit(r)))(made_points(30))),
        'empty': write_report(folder / 'empty.html', *(lambda r: (r, audit(r)))(made_record(0))),
    }


def open_page(driver, path, width=1200, dark=False):
    """Open a page and wait until its plots are drawn."""
    driver.get_log('performance')
    driver.get_log('browser')
    scheme = [{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}]
    driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': scheme})
    size = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': width < 600}
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    driver.get(path.as_uri())
    wait(lambda: driver.execute_script('return document.documentElement.dataset.drawn'))


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, 'the page did not do it in time'
        time.sleep(0.05)
    return found


def column(driver, name):
    """The texts of one column of the table of evaluations."""
    return driver.execute_script(
        """const heads = [...document.querySelectorAll('#table thead th')];
        const place = heads.findIndex((head) => head.textContent === arguments[0]);
        return [...document.querySelectorAll('#table tbody tr')].map((row) => row.cells[place].textContent);""",
        name,
    )


def click(driver, selector):
    driver.execute_script('document.querySelector(arguments[0]).click()', selector)


def choose(driver, selector, value):
    driver.execute_script(
        """const field = document.querySelector(arguments[0]);
        if (field.type === 'checkbox') field.checked = arguments[1]; else field.value = arguments[1];
        field.dispatchEvent(new Event('input', {bubbles: true}));""",
        selector,
        value,
    )


def sort_by(driver, name):
    driver.execute_script(
        """[...document.querySelectorAll('#table thead button')]
        .find((button) => button.textContent === arguments[0]).click()""",
        name,
    )


@pytest.mark.parametrize('name', ['plain', 'hostile', 'points', 'empty'])
def test_it_opens_without_an_error_or_a_request(driver, pages, name):
    open_page(driver, pages[name])
    assert [entry['message'] for entry in driver.get_log('browser')] == []
    events = [json.loads(entry['message'])['message'] for entry in driver.get_log('performance')]
    asked = [event['params']['request']['url'] for event in events if event['method'] == 'Network.requestWillBeSent']
    assert [url for url in asked if not url.startswith(('file:', 'data:', 'blob:'))] == []
    assert driver.execute_script('return window.pwned') is None
    assert driver.execute_script("return document.querySelectorAll('img').length") == 0
    undrawn = driver.execute_script(
        """return [...document.querySelectorAll('.plot')].filter((plot) =>
        !plot.querySelector('.main-svg .trace, .main-svg .bars, .main-svg .scatterlayer > *')).map((plot) => plot.id)"""
    )
    assert undrawn == []
    plots = driver.execute_script("return document.querySelectorAll('.plot').length")
    assert plots == 0 if name == 'empty' else plots >= (7 if name == 'points' else 9)


def test_a_policy_stops_what_is_injected(driver, pages):
    open_page(driver, pages['plain'])
    driver.execute_script(
        """const made = document.createElement('div');
        made.innerHTML = '<img src=x onerror="window.pwned=1">';
        document.body.append(made);
        const script = document.createElement('script');
        script.textContent = 'window.pwned=2';
        document.body.append(script);"""
    )
    time.sleep(0.3)
    assert driver.execute_script('return window.pwned') is None
    refused = [entry['message'] for entry in driver.get_log('browser')]
    assert any('Content Security Policy' in message for message in refused)


def test_the_table_sorts_filters_and_turns_pages(driver, pages):
    open_page(driver, pages['plain'])
    assert column(driver, '#') == [str(place) for place in range(1, 26)]
    title = 'bulk modulus (GPa)'
    choose(driver, '#rows', '0')
    sort_by(driver, title)
    values = sorted((item.properties['bulk_modulus'] for item in RECORD.evaluations if item.properties), reverse=True)
    shown = column(driver, title)
    assert [float(text) for text in shown if text != '–'] == pytest.approx(values, rel=5e-4)
    # what has no value comes last, whichever way
    assert shown[len(values) :] == ['–'] * (60 - len(values)) != []
    sort_by(driver, title)
    assert [float(text) for text in column(driver, title)[: len(values)]] == pytest.approx(values[::-1], rel=5e-4)
    choose(driver, '#find', 'N')
    assert len(column(driver, '#')) == sum(item.key in ('BN', 'AlN') for item in RECORD.evaluations)
    choose(driver, '#find', 'wall time')
    assert set(column(driver, 'status')) == {'failed'}
    choose(driver, '#find', '')
    choose(driver, '#hits', True)
    assert len(column(driver, '#')) == sum(item.hit is True for item in RECORD.evaluations) > 0
    choose(driver, '#hits', False)
    choose(driver, '#status', 'failed')
    assert len(column(driver, '#')) == sum(item.status == 'failed' for item in RECORD.evaluations)
    choose(driver, '#status', '')
    choose(driver, '#rows', '25')
    sort_by(driver, '#')
    click(driver, '#next')
    click(driver, '#next')
    assert column(driver, '#') == [str(place) for place in range(51, 61)]


def test_points_sort_by_a_variable_and_are_saved(driver, pages, tmp_path):
    driver.execute_cdp_cmd('Browser.setDownloadBehavior', {'behavior': 'allow', 'downloadPath': str(tmp_path)})
    open_page(driver, pages['points'])
    record = made_points(30)
    choose(driver, '#rows', '0')
    sort_by(driver, 'x1 (mm²)')
    values = sorted((item.proposed.values['x1'] for item in record.evaluations), reverse=True)
    assert [float(text) for text in column(driver, 'x1 (mm²)')] == pytest.approx(values, rel=5e-4)
    assert driver.execute_script("return document.querySelectorAll('.cif, #cifs').length") == 0
    choose(driver, '#find', 'shape=round')
    assert set(column(driver, 'shape')) == {'round'}
    click(driver, '#csv')
    wait(lambda: list(tmp_path.glob('*.csv')))
    rows = list(csv.DictReader(next(tmp_path.glob('*.csv')).read_text().splitlines()))
    assert {row['shape'] for row in rows} == {'round'}


def test_files_are_saved(driver, pages, tmp_path):
    from ase.io import read

    driver.execute_cdp_cmd('Browser.setDownloadBehavior', {'behavior': 'allow', 'downloadPath': str(tmp_path)})
    open_page(driver, pages['plain'])
    click(driver, '#table tbody .cif')
    own = RECORD.evaluations[0]
    path = tmp_path / f'{own.key}_{own.candidate}.cif'
    wait(path.is_file)
    found = read(path)
    assert found.get_chemical_symbols() == list(own.proposed.species)
    assert found.get_volume() == pytest.approx(own.proposed.volume, rel=1e-4)
    click(driver, '#csv')
    path = tmp_path / 'by_hand.csv'
    wait(path.is_file)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row['candidate'] for row in rows] == [item.candidate for item in RECORD.evaluations]
    assert [row['UUID'] for row in rows] == [item.uuid for item in RECORD.evaluations]


def test_light_and_dark(driver, pages):
    colour = "return getComputedStyle(document.querySelector('#plot-best .xtick text')).fill"
    page = 'return getComputedStyle(document.body).backgroundColor'
    open_page(driver, pages['plain'], dark=True)
    driver.execute_script("localStorage.removeItem('inversedesign-theme')")
    open_page(driver, pages['plain'], dark=True)
    dark = driver.execute_script(colour), driver.execute_script(page)
    click(driver, '#theme')
    wait(lambda: driver.execute_script(colour) != dark[0])
    light = driver.execute_script(colour), driver.execute_script(page)
    assert light == ('rgb(29, 35, 41)', 'rgb(255, 255, 255)')
    assert dark == ('rgb(227, 231, 235)', 'rgb(20, 24, 28)')
    driver.execute_script("localStorage.removeItem('inversedesign-theme')")


@pytest.mark.parametrize('name', ['plain', 'hostile', 'points'])
def test_a_phone_shows_it_without_scrolling_sideways(driver, pages, name):
    open_page(driver, pages[name], width=360)
    assert driver.execute_script('return document.documentElement.scrollWidth') <= 360
    widths = driver.execute_script(
        "return [...document.querySelectorAll('.plot .main-svg')].map((svg) => svg.clientWidth)"
    )
    assert max(widths) <= 360


def test_the_printed_table_fits_on_the_paper(driver, tmp_path):
    """A dozen properties beside the goal's would push the reasons off the page."""
    more = {f'property_{number:02d}': 1e-25 for number in range(12)}
    record = replace(
        RECORD,
        evaluations=tuple(
            replace(item, properties={**item.properties, **more} if item.properties else {})
            for item in RECORD.evaluations
        ),
    )
    open_page(driver, write_report(tmp_path / 'wide.html', record, audit(record, 'none')), width=700)
    assert set(column(driver, 'property 07')) <= {'0', '–'}
    try:
        driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
        right, titles = driver.execute_script(
            """const heads = [...document.querySelectorAll('#table thead th')].filter((head) => head.offsetWidth);
            return [Math.max(...heads.map((head) => head.getBoundingClientRect().right)),
                    heads.map((head) => head.textContent)];"""
        )
    finally:
        driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})
    assert right <= 700
    assert {'bulk modulus (GPa)', 'density (g/cm³)', 'why it failed', 'candidate'} <= set(titles)


def test_it_prints_in_light_colours(driver, pages):
    open_page(driver, pages['plain'], dark=True)
    assert len(driver.print_page()) > 50_000
    # the page is as it was
    assert driver.execute_script('return document.documentElement.dataset.theme') == 'dark'
