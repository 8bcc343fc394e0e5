// Is it healthy? The first thing that somebody on call wants to know, with what follows from it.
function findings() {
  const { stats, health, modes, sample_problem: sampleProblem } = state.now;
  const rows = stats.functions;
  const all = [];
  const find = (severity, title, text) => all.push({ severity, title, text });
  const names = test => rows.filter(test).map(row => parts(row.function)[0]).slice(0, 4).join(', ');

  const lost = sum(rows, row => row.lost_invalidations);
  if (lost) find('bad', some(lost, 'invalidation') + (lost === 1 ? ' was lost' : ' were lost'), `In ${names(row => row.lost_invalidations)}: a key could not be rendered. What it should have removed is served until its TTL.`);
  const stale = sum(rows, row => row.stale_audits);
  if (stale) find('bad', `Audits found ${some(stale, 'stale value')}`, `In ${names(row => row.stale_audits)}: something changes the source and does not invalidate.`);
  if (!health.connected) {
    const why = health.last_error ? ` ${health.last_error.address}: ${health.last_error.problem}` : '';
    find('bad', `No connection for ${seconds(Math.max(1, (state.now.now_ms - health.since_ms) / 1000))}`, `Functions run without the cache.${why}`);
  } else if (stats.store.breaker !== 'closed') find('bad', 'The breaker is open', 'The store has stopped answering: functions run without the cache until it does.');

  const pending = stats.pending;
  if (pending.namespace) find('bad', 'Too many invalidations wait to be kept one by one', 'The whole namespace is bypassed here, and invalidated when the store answers.');
  else if (pending.keys || pending.patterns) find('warning', `${waiting(pending)} not confirmed, the oldest for up to ${seconds(pending.oldest_seconds)}`, 'This process goes without the cache for them. Others may see old values until they are replayed.');
  const unguarded = sum(rows, row => row.unguarded_writes);
  if (unguarded) find('warning', `${some(unguarded, 'write')} without the guard asked for`, `In ${names(row => row.unguarded_writes)}.`);
  for (const row of rows) {
    const refused = row.refused_fills / (row.fills + row.refused_fills);
    if (row.refused_fills > 20 && refused > .2) find('warning', `${percent(refused)} of the fills of ${parts(row.function)[0]} were refused`, 'Its keys are invalidated faster than they load.');
  }
  const recent = rates(state.points.slice(-30));
  const recentReads = sum(recent, step => step.reads.reduce((a, b) => a + b, 0));
  const bypass = sum(recent, step => step.reads[PLACE.bypass]) / recentReads;
  if (recentReads && bypass > .05 && health.connected) find('warning', `${percent(bypass)} of the reads of the last minute went without the cache`, 'Keys are barred by writers, or waits take too long.');
  for (const server of stats.sample ? stats.sample.servers : []) {
    if (server.max_memory && server.used_memory > .9 * server.max_memory && server.eviction_policy === 'noeviction') find('warning', `${server.server} is nearly full and evicts nothing`, 'Fills are refused when it is: give it memory, or an eviction policy.');
  }
  const remarks = state.catalog ? state.catalog.problems.length + (state.catalog.advice || []).length : 0;
  if (remarks) find('warning', some(remarks, 'remark') + ' in the catalogue', 'Each is listed below with its function.');
  const changed = rows.filter((row, i) => modes[i] && modes[i] !== 'on');
  if (changed.length) find('info', `${some(changed.length, 'function')} not on`, changed.map(row => `${parts(row.function)[0]} is ${modes[rows.indexOf(row)]}`).slice(0, 4).join(', ') + '.');
  if (sampleProblem && health.connected) find('info', 'The store does not say how full it is', sampleProblem);
  return all;
}

function waiting(pending) {
  const both = [];
  if (pending.keys) both.push(some(pending.keys, 'key'));
  if (pending.patterns) both.push(some(pending.patterns, 'pattern'));
  return both.join(' and ');
}

function showVerdict() {
  const all = findings();
  const worst = ['bad', 'warning'].find(severity => all.some(one => one.severity === severity)) || 'good';
  const title = $('verdict-title');
  title.dataset.severity = worst;
  say(title, { good: 'All is well.', warning: 'Worth a look.', bad: 'Something is wrong.' }[worst]);
  const audits = sum(state.now.stats.functions, row => row.audits);
  const facts = ['No invalidation is lost or waits.'];
  if (audits) facts.push(`${some(audits, 'value')} compared with the source, none stale.`);
  say($('verdict-text'), worst === 'good' ? facts.join(' ') : some(all.filter(one => one.severity !== 'info').length, 'finding') + ', the worst first.');
  const key = JSON.stringify(all);
  if ($('findings').dataset.key === key) return;
  $('findings').dataset.key = key;
  const order = ['bad', 'warning', 'info'];
  all.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  $('findings').replaceChildren(...all.map(finding));
}

function finding({ severity, title, text }) {
  return h('li', { class: 'finding', 'data-severity': severity }, sign(severity), h('div', null, h('b', null, title), h('span', null, text)));
}
