// The table. Its rows stay and their cells change, so that whoever is in one with the keyboard stays there.
const rate = one => latest(functionRates(state.points, one.index));
const COLUMNS = [
  { id: 'name', label: 'Function', value: one => parts(one.row.function)[0].toLowerCase(), text: true },
  { id: 'reads', label: 'Reads', value: rate, cell: one => h('span', { class: 'rate' }, spark(functionRates(state.points, one.index), { fill: true }), h('span', null, figures(rate(one)) + ' /s')) },
  { id: 'ratio', label: 'Hit ratio', value: one => ratio(one.row) ?? -1, cell: one => h('span', { class: 'ratio' }, bar(ratio(one.row)), h('span', null, percent(ratio(one.row)))) },
  { id: 'saved', label: 'Time saved', value: one => saved(one.row), cell: one => seconds(saved(one.row)) },
  { id: 'loads', label: 'Loads', value: one => one.row.loads, cell: one => short(one.row.loads) },
  { id: 'p50', label: 'p50', value: one => one.row.load_times.p50 ?? -1, cell: one => seconds(one.row.load_times.p50) },
  { id: 'p95', label: 'p95', value: one => one.row.load_times.p95 ?? -1, cell: one => seconds(one.row.load_times.p95) },
  { id: 'p99', label: 'p99', value: one => one.row.load_times.p99 ?? -1, cell: one => seconds(one.row.load_times.p99) },
  { id: 'refused', label: 'Refused fills', value: one => one.row.refused_fills, cell: one => short(one.row.refused_fills), tone: one => one.row.refused_fills > 20 && one.row.refused_fills > one.row.fills * .25 ? 'warning' : '' },
  { id: 'audits', label: 'Audits', value: one => one.row.stale_audits * 1e9 + one.row.audits, cell: one => !one.row.audits ? '–' : one.row.stale_audits ? `${count(one.row.stale_audits)} stale` : `${short(one.row.audits)} fresh`, tone: one => one.row.stale_audits ? 'bad' : '' },
];
const rowsByName = new Map();

function makeHeads() {
  $('heads').append(...COLUMNS.map(column => h('th', { role: 'columnheader', scope: 'col', 'data-column': column.id },
    h('button', { type: 'button', onclick: () => sortBy(column) }, column.label))));
}

function sortBy(column) {
  const { sort } = state;
  state.sort = sort.by === column.id ? { by: column.id, up: !sort.up } : { by: column.id, up: !!column.text };
  showFunctions();
}

function showFunctions() {
  const { stats, modes } = state.now;
  const about = new Map((state.catalog ? state.catalog.functions : []).map(row => [row.function, row]));
  const all = stats.functions
    .map((row, index) => ({ row, index, mode: modes[index], about: about.get(row.function) }))
    .filter(one => isReader(one.row, one.mode));
  const wanted = all.filter(matches).sort(order());
  for (const head of $('heads').children) {
    const by = head.dataset.column === state.sort.by;
    head.setAttribute('aria-sort', by ? (state.sort.up ? 'ascending' : 'descending') : 'none');
  }
  arrange(wanted.flatMap(one => {
    const kept = rowOf(one);
    fill(kept, one);
    return state.open.has(one.row.function) ? [kept.line, kept.more] : [kept.line];
  }));
  say($('shown'), !all.length ? '' : wanted.length === all.length ? String(all.length) : `${wanted.length} of ${all.length}`);
  $('no-rows').hidden = wanted.length > 0;
  say($('no-rows'), all.length ? `No function matches “${state.filter}”.` : 'This program has no function under #[redis_cached].');
}

function matches(one) {
  const texts = [one.row.function, one.about ? one.about.key : '', ...(one.about ? one.about.tags : [])];
  return texts.some(text => text.toLowerCase().includes(state.filter.toLowerCase().trim()));
}

function order() {
  const column = COLUMNS.find(column => column.id === state.sort.by);
  const sign = state.sort.up ? 1 : -1;
  const compare = (a, b) => column.text ? a.localeCompare(b) : a - b;
  return (a, b) => sign * compare(column.value(a), column.value(b)) || a.row.function.localeCompare(b.row.function);
}

// Only what is elsewhere moves, and the focus stays.
function arrange(lines) {
  const body = $('rows'), focused = document.activeElement;
  for (const line of [...body.children]) if (!lines.includes(line)) line.remove();
  lines.forEach((line, i) => { if (body.children[i] !== line) body.insertBefore(line, body.children[i] || null); });
  if (focused && focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
}

function rowOf(one) {
  const name = one.row.function;
  if (!rowsByName.has(name)) rowsByName.set(name, makeRow(name));
  return rowsByName.get(name);
}

function makeRow(path) {
  const [name, module] = parts(path);
  const id = 'more-' + rowsByName.size;
  const mode = h('span', { class: 'badge', hidden: true });
  const button = h('button', { type: 'button', class: 'name', 'aria-expanded': 'false', 'aria-controls': id, onclick: () => toggle(path) },
    s('svg', { viewBox: '0 0 10 10', 'aria-hidden': 'true' }, s('path', { d: 'M3 1l4 4-4 4', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.6 })),
    h('span', null, h('b', null, name), ' ', h('i', null, module)));
  const cells = COLUMNS.slice(1).map(column => h('td', { role: 'cell', 'data-label': column.label }));
  const line = h('tr', { role: 'row' }, h('td', { role: 'cell' }, button, mode), cells);
  const inside = h('div', { id });
  return { line, cells, button, mode, inside, more: h('tr', { class: 'more', role: 'row' }, h('td', { role: 'cell', colspan: COLUMNS.length }, inside)) };
}

function toggle(path) {
  if (!state.open.delete(path)) state.open.add(path);
  showFunctions();
}

function fill(kept, one) {
  const isOpen = state.open.has(one.row.function);
  kept.button.setAttribute('aria-expanded', isOpen);
  kept.mode.hidden = !one.mode || one.mode === 'on';
  say(kept.mode, one.mode || '');
  COLUMNS.slice(1).forEach((column, i) => {
    const content = column.cell(one), cell = kept.cells[i];
    const zero = content === '–' || content === '0' || content === '0 s';
    cell.className = column.tone && column.tone(one) || (zero ? 'zero' : '');
    if (typeof content === 'string') say(cell, content); else cell.replaceChildren(content);
  });
  if (isOpen) fillMore(kept, one);
}

// The buttons stay, for whoever is about to press one.
function fillMore(kept, one) {
  const { row, about } = one;
  if (!kept.acts && state.now.actions && one.mode) kept.acts = functionActions(row.function);
  if (kept.acts) kept.acts.update(one);
  const counted = [['Fills', row.fills], ['Load errors', row.load_errors], ['Timeouts', row.timeouts], ['Waits', row.waits], ['Renewals', row.renewals], ['Outdated', row.outdated], ['Undecodable', row.undecodable], ['Unstorable', row.unstorable], ['Too large', row.too_large], ['Errors of the store', row.errors]];
  const shown = counted.filter(([, n], i) => n || i === 0).map(([name, n]) => [name, count(n)]);
  const blocks = [
    h('div', null, h('h3', null, 'Where'), facts(about ? [
      ['Key', h('code', null, about.key)],
      about.tags.length && ['Tags', about.tags.map(tag => h('code', { class: 'tag' }, tag))],
      ['TTL', about.policy ? `policy ${about.policy}` : ttl(about)],
      ['Value', h('code', null, about.value)],
      ['Written by', about.writers.length ? about.writers.map(writer => parts(writer.function)[0]).join(', ') : 'nobody here'],
      ['Source', h('code', null, `${about.file}:${about.line}`)],
    ] : [['Function', row.function]])),
    h('div', null, h('h3', null, 'Time of loads'), bars(row.load_times, seconds)),
    h('div', null, h('h3', null, 'Counted'), facts([...shown, ['Entry, median', bytes(row.value_bytes.p50)], ['Entry, p99', bytes(row.value_bytes.p99)]])),
  ];
  while (kept.inside.firstChild && kept.inside.firstChild !== (kept.acts && kept.acts.element)) kept.inside.firstChild.remove();
  kept.inside.prepend(...blocks);
  if (kept.acts && !kept.acts.element.isConnected) kept.inside.append(kept.acts.element);
}

const ttl = about => about.ttl_ms == null ? 'none' : seconds(about.ttl_ms / 1000);
