'use strict';
(function () {
  const data = JSON.parse(document.getElementById('data').textContent);
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);

  // ---- theme: auto follows the system, the button overrides it
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  let chosen = 'auto';
  try { chosen = localStorage.getItem('inversedesign-theme') || 'auto'; } catch (error) { /* no storage for files */ }
  let printing = false;
  const isDark = () => !printing && (chosen === 'dark' || (chosen === 'auto' && system.matches));

  function recoloured(value) {
    if (typeof value === 'string') return data.dark[value] || value;
    if (Array.isArray(value)) return value.map(recoloured);
    if (value && typeof value === 'object') {
      const result = {};
      for (const key of Object.keys(value)) result[key] = recoloured(value[key]);
      return result;
    }
    return value;
  }

  const touch = window.matchMedia('(pointer: coarse)').matches;
  const config = {
    responsive: true, displaylogo: false,
    // plotly's own list has a button that sends the plot to a server
    modeBarButtons: [['zoom2d', 'pan2d', 'zoomIn2d', 'zoomOut2d', 'resetScale2d', 'toImage']], plotlyServerURL: '',
  };

  function draw(figure, width) {
    const place = byId(figure.id);
    if (!place) return null;
    const dark = isDark();
    // plotly changes what it is given
    const copy = JSON.parse(JSON.stringify({data: figure.data, layout: figure.layout}));
    const shown = dark ? recoloured(copy) : copy;
    if (width) { shown.layout.width = width; shown.layout.autosize = false; }
    if (touch) shown.layout.dragmode = false;
    const narrow = place.clientWidth < 480;
    if (narrow) {
      shown.layout.font.size = 11;
      shown.layout.margin = Object.assign(shown.layout.margin, {l: 44, r: 8});
    }
    const options = Object.assign({
      displayModeBar: touch || narrow ? false : 'hover', toImageButtonOptions: {format: 'svg', filename: figure.id},
    }, config);
    return Plotly.react(place, shown.data, shown.layout, options);
  }

  function apply() {
    root.dataset.theme = isDark() ? 'dark' : 'light';
    byId('theme').textContent = 'theme: ' + chosen;
  }

  function drawAll(width) { return Promise.all(data.figures.map((figure) => draw(figure, width))); }

  byId('theme').addEventListener('click', function () {
    chosen = {auto: isDark() ? 'light' : 'dark', light: 'dark', dark: 'light'}[chosen];
    try { localStorage.setItem('inversedesign-theme', chosen); } catch (error) { /* it lasts until the page closes */ }
    apply();
    drawAll();
  });
  system.addEventListener('change', function () { apply(); drawAll(); });
  window.addEventListener('beforeprint', function () { printing = true; apply(); drawAll(660); });
  window.addEventListener('afterprint', function () { printing = false; apply(); drawAll(); });
  apply();

  // ---- small helpers
  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    if (className) made.className = className;
    return made;
  }
  function formula(text) {
    const made = document.createDocumentFragment();
    let last = '';
    for (const part of String(text).split(/(\d+(?:\.\d+)?)/)) {
      if (!part) continue;
      made.append(/^\d/.test(part) && /[A-Za-z)\]]$/.test(last) ? element('sub', part) : part);
      last = part;
    }
    return made;
  }
  function save(name, type, text) {
    const link = element('a');
    link.href = URL.createObjectURL(new Blob([text], {type: type}));
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }
  const fileName = (text) => String(text).replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 80) || 'crystal';
  function shownNumber(value, title, digits) {
    if (value === null || value === undefined) return '–';
    if (Math.abs(value) < 1e-12) return '0';
    const text = Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)
      ? value.toExponential(digits - 1)
      : Math.abs(value) >= 10 && title.includes('(eV') ? value.toFixed(Math.max(3, digits - 1 - Math.floor(Math.log10(Math.abs(value)))))
        : String(Number(value.toPrecision(digits)));
    return text.replace(/-/g, '−');
  }
  async function copyText(button) {
    const text = button.dataset.copy;
    let done = true;
    try { await navigator.clipboard.writeText(text); } catch (error) {
      const field = element('textarea');
      field.value = text;
      document.body.append(field);
      field.select();
      done = document.execCommand('copy');
      field.remove();
    }
    const before = button.textContent;
    button.textContent = done ? 'copied' : 'select it';
    setTimeout(function () { button.textContent = before; }, 1200);
  }

  // ---- table of evaluations
  const table = data.table;
  const place = {};
  table.columns.forEach(function (column, index) { place[column[0]] = index; });
  const saveCif = function (row) {
    const own = table.rows[row];
    save(fileName(own[place.key] + '_' + own[place.candidate]) + '.cif', 'chemical/x-cif', table.cifs[row]);
  };
  document.addEventListener('click', function (event) {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.copy !== undefined) copyText(button);
    if (button.classList.contains('cif')) {
      const row = button.dataset.row !== undefined ? Number(button.dataset.row)
        : table.rows.findIndex((own) => own[place.candidate] === button.dataset.candidate);
      if (row >= 0 && table.cifs && table.cifs[row]) saveCif(row);
    }
  });

  function makeTable() {
    const body = byId('table').tBodies[0];
    const order = {key: 0, ascending: true};
    let page = 0;
    const haystack = table.rows.map(function (row) {
      return row.filter((value) => typeof value === 'string').join(' ').toLowerCase();
    });
    const heads = element('tr');
    const sorters = [];
    // the structures stand after this column
    const AFTER = table.cifs ? place.hit : -1;
    // paper has no room for these columns
    const wide = (key) => table.wide.includes(key);
    table.columns.forEach(function (column, index) {
      const head = element('th', null, column[2] === 'number' ? 'n' : '');
      head.scope = 'col';
      const button = element('button', column[1]);
      button.type = 'button';
      button.addEventListener('click', function () {
        order.ascending = order.key === index ? !order.ascending : column[2] !== 'number' || index === 0;
        order.key = index;
        page = 0;
        show();
      });
      head.append(button);
      heads.append(head);
      head.classList.toggle('screen', wide(column[0]));
      sorters.push(head);
      if (index === AFTER) heads.append(element('th', 'structure', 'screen'));
    });
    byId('table').tHead.append(heads);

    function chosenRows() {
      const words = byId('find').value.trim();
      const status = byId('status').value;
      const hits = byId('hits').checked;
      const parts = words.split(/[\s,]+/).filter(Boolean);
      // element symbols are matched as elements, everything else as text
      const fits = (row) => parts.every(function (part) {
        return table.symbols.has(part) ? table.elements[row].includes(part)
          : haystack[row].includes(part.toLowerCase());
      });
      const found = [];
      for (let row = 0; row < table.rows.length; row++) {
        const own = table.rows[row];
        if (status && own[place.status] !== status) continue;
        if (hits && own[place.hit] !== 'yes') continue;
        if (fits(row)) found.push(row);
      }
      const key = order.key;
      const sign = order.ascending ? 1 : -1;
      found.sort(function (one, other) {
        const a = table.rows[one][key];
        const b = table.rows[other][key];
        const emptyA = a === null || a === '';
        const emptyB = b === null || b === '';
        // what is not known comes last, whichever way
        if (emptyA || emptyB) return emptyA === emptyB ? one - other : emptyA ? 1 : -1;
        const way = typeof a === 'number' ? a - b : String(a).localeCompare(String(b), 'en', {numeric: true});
        return sign * way || one - other;
      });
      return found;
    }

    function cell(row, column, index) {
      const value = table.rows[row][index];
      if (column[2] === 'number') return element('td', shownNumber(value, column[1], table.digits[column[0]] || 4), 'n');
      if (value === null || value === '') return element('td', '–');
      if (column[2] === 'formula') {
        const made = element('td', null, 'formula');
        made.append(formula(value));
        return made;
      }
      if (column[2] === 'uuid') {
        const made = element('td');
        made.append(element('code', value.slice(0, 8)), ' ');
        const button = element('button', 'copy', 'copy');
        button.type = 'button';
        button.dataset.copy = value;
        button.title = value;
        made.append(button);
        return made;
      }
      return element('td', value, String(value).length > 40 ? 'long' : '');
    }

    function structure(row) {
      const made = element('td', table.cifs[row] ? null : '–', 'screen');
      if (table.cifs[row]) {
        const button = element('button', 'CIF', 'cif');
        button.type = 'button';
        button.dataset.row = row;
        made.append(button);
      }
      return made;
    }

    function show() {
      const found = chosenRows();
      const size = Number(byId('rows').value) || found.length || 1;
      const pages = Math.max(1, Math.ceil(found.length / size));
      page = Math.min(page, pages - 1);
      const part = document.createDocumentFragment();
      for (const row of found.slice(page * size, (page + 1) * size)) {
        const own = table.rows[row];
        const line = element('tr', null, own[place.hit] === 'yes' ? 'hit' : own[place.status]);
        table.columns.forEach(function (column, index) {
          const made = cell(row, column, index);
          made.classList.toggle('screen', wide(column[0]));
          line.append(made);
          if (index === AFTER) line.append(structure(row));
        });
        part.append(line);
      }
      body.replaceChildren(part);
      sorters.forEach(function (head, index) {
        head.setAttribute('aria-sort', index !== order.key ? 'none' : order.ascending ? 'ascending' : 'descending');
      });
      byId('shown').textContent = found.length === table.rows.length ? ''
        : found.length + ' of ' + table.rows.length + ' evaluations match.';
      byId('page').textContent = pages > 1 ? 'page ' + (page + 1) + ' of ' + pages : '';
      byId('previous').hidden = byId('next').hidden = pages === 1;
      byId('previous').disabled = page === 0;
      byId('next').disabled = page === pages - 1;
    }

    function quoted(value) {
      if (value === null || value === undefined) return '';
      let text = String(value);
      // a spreadsheet must not take text for a formula
      if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
      return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    }

    const again = function () { page = 0; show(); };
    byId('filter').addEventListener('submit', function (event) { event.preventDefault(); });
    for (const id of ['find', 'status', 'hits', 'rows']) byId(id).addEventListener('input', again);
    byId('previous').addEventListener('click', function () { page -= 1; show(); });
    byId('next').addEventListener('click', function () { page += 1; show(); });
    byId('csv').addEventListener('click', function () {
      const lines = [table.columns.map((column) => quoted(column[1]))];
      for (const row of chosenRows()) lines.push(table.rows[row].map(quoted));
      save(fileName(table.name) + '.csv', 'text/csv', lines.map((line) => line.join(',')).join('\r\n') + '\r\n');
    });
    if (table.cifs) byId('cifs').addEventListener('click', function () {
      const texts = chosenRows().map((row) => table.cifs[row]).filter(Boolean);
      save(fileName(table.name) + '.cif', 'chemical/x-cif', texts.join('\n'));
    });
    show();
  }
  table.symbols = new Set(table.elements.flat());
  if (byId('table')) makeTable();

  // ---- plots, one after the other, so that the page answers while they are drawn
  (async function () {
    for (const figure of data.figures) {
      await draw(figure);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    root.dataset.drawn = 'true';
  })();
})();
