// A round number that is no less.
function roundUp(n) {
  const size = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 2.5, 5, 10].map(step => step * size).find(step => step >= n * .999) || n;
}

// Areas on top of each other, one for each way to answer a read.
function traffic(steps) {
  const [width, height] = [600, 200];
  const highest = Math.max(0, ...steps.map(step => step.reads.reduce((a, b) => a + b, 0)));
  if (!highest || steps.length < 2) return h('p', { class: 'empty' }, steps.length < 2 ? 'Two looks at the counters make a line. A moment…' : 'No reads in the last minutes.');
  const top = roundUp(highest);
  const x = i => (i / (steps.length - 1) * width).toFixed(1);
  const y = n => (height - n / top * height).toFixed(1);
  let floor = steps.map(() => 0);
  const areas = KINDS.map(([kind]) => {
    const roof = steps.map((step, i) => floor[i] + step.reads[PLACE[kind]]);
    const there = roof.map((n, i) => `${x(i)} ${y(n)}`);
    const back = floor.map((n, i) => `${x(i)} ${y(n)}`).reverse();
    floor = roof;
    return s('path', { 'data-kind': kind, d: `M${there.join('L')}L${back.join('L')}Z` });
  });
  const lines = [0, .5, 1].map(part => s('line', { class: 'grid', x1: 0, x2: width, y1: height * part, y2: height * part }));
  const now = steps[steps.length - 1].reads;
  const label = `Reads per second over the last ${span(steps)}, at most ${figures(highest)}. Now: ` +
    KINDS.map(([kind, name]) => `${name} ${figures(now[PLACE[kind]])}`).join(', ');
  return [
    s('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, lines, areas),
    levelLabel('top', `${figures(top)} /s`), levelLabel('half', figures(top / 2)),
    h('span', { class: 'label from' }, span(steps) + ' ago'), h('span', { class: 'label to' }, 'now'),
  ];
}

function levelLabel(where, text) {
  const label = h('span', { class: 'label above' }, text);
  label.style.top = where === 'top' ? '0' : 'calc((100% - 20px) / 2)';
  return label;
}

const span = steps => seconds(Math.round((steps[steps.length - 1].at - steps[0].at) / 1000));

// A line without axes beside its number; the number says it in words.
function spark(values, { fill = false, top = Math.max(...values, 0) } = {}) {
  const svg = s('svg', { class: 'spark', viewBox: '0 0 100 24', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  if (values.length < 2) return svg;
  const at = (n, i) => `${(i / (values.length - 1) * 100).toFixed(1)} ${(23 - (top ? n / top * 21 : 0)).toFixed(1)}`;
  const line = 'M' + values.map(at).join('L');
  if (fill) svg.append(s('path', { class: 'area', d: `${line}L100 24L0 24Z` }));
  svg.append(s('path', { d: line }));
  return svg;
}

// How often which size came; what is above the 95th percentile has a colour of its own.
function bars(histogram, show) {
  const counts = histogram.buckets.map((bucket, i, all) => bucket.count - (i ? all[i - 1].count : 0));
  const highest = Math.max(...counts, 1);
  const tail = quantile(histogram, .95);
  const wide = 100 / counts.length;
  const column = (n, i) => {
    const high = n ? Math.max(2.5, n / highest * 44) : 1;
    const lower = i ? histogram.buckets[i - 1].le : 0;
    const kind = !n ? 'none' : tail != null && lower >= tail ? 'tail' : '';
    return s('rect', { class: kind, x: (i * wide + wide * .1).toFixed(2), width: (wide * .8).toFixed(2), y: (46 - high).toFixed(2), height: high.toFixed(2) });
  };
  const label = histogram.count
    ? `${count(histogram.count)} in all; half of them up to ${show(quantile(histogram, .5))}, 95 of 100 up to ${show(tail)}, 99 of 100 up to ${show(quantile(histogram, .99))}`
    : 'None yet';
  const bounds = histogram.buckets;
  return h('div', { class: 'bars' },
    s('svg', { class: 'bars', viewBox: '0 0 100 46', preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, counts.map(column)),
    h('div', { class: 'scale', 'aria-hidden': 'true' }, [0, Math.floor(bounds.length / 2), bounds.length - 2].map(i => h('span', null, show(bounds[i].le)))));
}

// A share as a bar beside its number.
function bar(share) {
  return s('svg', { viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('rect', { width: ((share || 0) * 100).toFixed(1), height: 6 }));
}
