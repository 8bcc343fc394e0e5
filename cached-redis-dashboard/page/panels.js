// Everything around the table. Nothing in here takes the focus, so it is made anew each time.
function showTraffic() {
  const steps = rates(state.points);
  const drawing = traffic(steps);
  $('plot').replaceChildren(...[drawing].flat());
  const now = kind => latest(steps.map(step => step.reads[PLACE[kind]]));
  const all = KINDS.reduce((total, [kind]) => total + now(kind), 0);
  $('legend').replaceChildren(...KINDS.map(([kind, name]) => h('li', { 'data-kind': kind }, h('b', null, figures(now(kind)) + ' /s'), name)));
  say($('traffic-span'), all ? `${figures(all)} per second in this process` : '');
}

function tile(title, big, unit, below, picture) {
  return h('section', { class: 'card tile' }, h('h2', null, title),
    h('p', { class: 'big' }, big, unit && h('small', null, unit)), h('p', { class: 'muted' }, below), picture && h('div', { class: 'bars' }, picture));
}

function showTiles() {
  const { functions, store } = state.now.stats;
  const loads = merged(functions.map(row => row.load_times));
  const trips = merged(Object.values(store.round_trips));
  const all = sum(functions, reads);
  const steps = rates(state.points);
  const share = step => { const total = step.reads.reduce((a, b) => a + b, 0); return total ? 1 - (step.reads[PLACE.miss] + step.reads[PLACE.bypass]) / total : 0; };
  const whole = all ? sum(functions, answered) / all : null;
  const time = split(seconds(sum(functions, saved)));
  const entries = merged(functions.map(row => row.value_bytes));
  const third = store.attempted || trips.count
    ? tile('Round trip, p99', ...split(seconds(quantile(trips, .99))), `half within ${seconds(quantile(trips, .5))}`, bars(trips, seconds))
    : tile('Entry, p99', ...split(bytes(quantile(entries, .99))), `half within ${bytes(quantile(entries, .5))}`, entries && bars(entries, bytes));
  $('tiles').replaceChildren(
    tile('Hit ratio', ...split(percent(whole)), all ? `of ${short(all)} reads since the start` : 'no reads yet', spark(steps.map(share), { fill: true, top: 1 })),
    tile('Time saved', ...time, 'of loads that did not have to run', spark(steps.map(step => step.reads.slice(0, 4).reduce((a, b) => a + b, 0)), { fill: true })),
    tile('Load, p99', ...split(seconds(quantile(loads, .99))), loads && loads.count ? `half within ${seconds(quantile(loads, .5))}` : 'nothing loaded yet', loads && bars(loads, seconds)),
    third);
}

// "3 h 12 min": the number is big, what follows is not.
function split(text) {
  const at = text.indexOf(' ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function showStore() {
  const { stats, health, now_ms: now } = state.now;
  const { sample, store } = stats;
  const isUp = health.connected && store.breaker === 'closed';
  const word = !health.connected ? 'No connection' : store.breaker === 'closed' ? 'Connected' : 'Breaker open';
  const servers = sample ? sample.servers : [];
  $('store-state').replaceChildren(h('span', { class: isUp ? 'state' : 'state bad' }, sign(isUp ? 'good' : 'bad'), word));
  const inMemory = servers.length && servers.every(server => server.server === 'memory');
  const parts = servers.map(server => h('div', { class: 'meter' },
    h('p', null, h('b', null, bytes(server.used_memory)), h('span', { class: 'muted' }, server.max_memory ? `of ${bytes(server.max_memory)}` : 'no limit set')),
    server.max_memory && s('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${percent(server.used_memory / server.max_memory)} of the memory is used` },
      s('rect', { class: server.used_memory > .9 * server.max_memory ? 'warning' : '', height: 8, width: (100 * server.used_memory / server.max_memory).toFixed(1) })),
    facts([
      ['Server', inMemory ? 'in this process' : h('code', null, server.server)], !inMemory && ['Version', server.version],
      ['Keys', count(server.keys)], ['Eviction', server.eviction_policy],
      !inMemory && ['Evicted', count(server.evicted_keys)], !inMemory && ['Expired', count(server.expired_keys)],
    ])));
  if (!servers.length) parts.push(h('p', { class: 'empty' }, state.now.sample_problem || 'How full it is has not been asked yet.'));
  if (!inMemory) parts.push(facts([
    [health.connected ? 'Connected for' : 'Away for', seconds(Math.floor((now - health.since_ms) / 1000))], ['Breaker', store.breaker.replace('_', ' ')],
    ['Operations', short(store.attempted)], ['Timeouts', count(store.timeouts), store.timeouts ? 'warning' : ''],
    ['Lost on the way', count(store.lost)], ['Refused at once', count(store.rejected)], ['Reconnects', count(store.reconnects)],
    store.outdated && ['Of another epoch', count(store.outdated)],
    health.last_error && ['Last error', `${health.last_error.problem}, ${ago(health.last_error.at_ms, now)}`],
  ]));
  $('store').replaceChildren(...parts);
}

function showLocal() {
  const { local, functions } = state.now.stats;
  const hits = sum(functions, row => row.local_hits);
  if (!local.entries && !hits && !local.refused) {
    $('local').replaceChildren(h('p', { class: 'empty' }, 'No level in process memory is in use. It answers reads without a round trip: see `local` in the documentation.'));
    return;
  }
  const drops = ['changed', 'replaced', 'flushed', 'lost', 'moved', 'evicted', 'refused'];
  const words = { changed: 'Dropped: changed', replaced: 'Dropped: replaced here', flushed: 'Dropped: flushed', lost: 'Dropped: connection lost', moved: 'Dropped: other server', evicted: 'Dropped for room', refused: 'Too large to keep' };
  $('local').replaceChildren(
    h('div', { class: 'meter' }, h('p', null, h('b', null, bytes(local.bytes)), h('span', { class: 'muted' }, some(local.entries, 'entry').replace('entrys', 'entries')))),
    facts([['Reads answered', short(hits)], ['Of all reads', percent(hits / Math.max(1, sum(functions, reads)))], ['Horizon', local.horizon_seconds == null ? 'not known' : seconds(local.horizon_seconds)],
      ...drops.filter(drop => local[drop]).map(drop => [words[drop], count(local[drop])])]));
}

function showPending() {
  const { pending, functions } = state.now.stats;
  const total = field => sum(functions, row => row[field]);
  const waits = pending.keys + pending.patterns;
  const bad = n => n ? 'bad' : '', warn = n => n ? 'warning' : '';
  const lost = total('lost_invalidations');
  $('pending').replaceChildren(
    h('div', { class: 'meter' }, h('p', null, h('b', null, pending.namespace ? 'All' : count(waits)), h('span', { class: 'muted' }, waits || pending.namespace ? `wait, the oldest for up to ${seconds(pending.oldest_seconds)}` : 'wait for the store'))),
    facts([['Keys invalidated', short(total('invalidations'))], ['Deferred', count(total('deferred_invalidations')), warn(waits)], ['Replayed', count(total('replayed_invalidations'))],
      ['Repeated after a failover', count(total('repeated_invalidations'))], ['Lost', count(lost), bad(lost)], ['Unguarded writes', count(total('unguarded_writes')), warn(total('unguarded_writes'))],
      ['Events published', short(total('published_events'))], pending.events && ['Events that wait', count(pending.events), 'warning'], ['Messages of others', short(total('ingested_messages'))]]));
}

function showCatalog() {
  const { catalog } = state;
  if (!catalog || $('catalog').dataset.of === state.process) return;
  $('catalog').dataset.of = state.process;
  say($('catalog-count'), catalog.functions.length ? some(catalog.functions.length, 'key template') : '');
  const problems = catalog.problems.map(one => finding({ severity: 'warning', title: parts(one.function)[0], text: one.problem }));
  const advice = (catalog.advice || []).map(one => finding({ severity: 'info', title: one.finding, text: one.remedy }));
  const entry = row => h('li', null,
    h('code', { class: 'key' }, row.key), h('span', null, row.policy ? `policy ${row.policy}` : ttl(row)),
    h('p', { class: 'sub' }, row.tags.map(tag => h('code', { class: 'tag' }, '#' + tag)), `${parts(row.function)[0]} → `, h('code', null, row.value),
      row.writers.length ? `, written by ${row.writers.map(writer => parts(writer.function)[0] + (writer.does.length ? ` (${writer.does.join(', ')})` : '')).join(', ')}` : ', written by nobody here'));
  const none = h('p', { class: 'empty' }, 'This program has no annotated function.');
  const sound = h('li', { class: 'finding', 'data-severity': 'good' }, sign('good'), h('div', null, h('b', null, 'The catalogue is sound'), h('span', null, 'Every target of a writer is read, and no two functions are in each other’s way.')));
  $('catalog').replaceChildren(
    catalog.functions.length ? h('ul', null, problems.length || advice.length ? [...problems, ...advice] : sound) : none,
    h('ul', { class: 'entries' }, catalog.functions.map(entry)));
}

function showEvents() {
  const now = state.now.now_ms;
  const latestFirst = state.events.slice(-60).reverse();
  $('no-events').hidden = latestFirst.length > 0;
  $('events').replaceChildren(...latestFirst.map(event => h('li', { 'data-severity': event.severity }, sign(event.severity),
    h('p', null, event.text, (event.names || []).length > 0 && [h('br'), event.names.map(name => h('code', { class: 'tag' }, name))]),
    h('time', { datetime: new Date(event.at_ms).toISOString() }, ago(event.at_ms, now)))));
}
