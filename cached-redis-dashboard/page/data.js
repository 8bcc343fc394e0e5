// What the page knows, and what follows from it.
const state = {
  now: null, catalog: null, points: [], events: [], process: null,
  sort: { by: 'reads', up: false }, filter: '', open: new Set(),
};

const KINDS = [
  ['local', 'Process memory'], ['hit', 'Store'], ['joined', 'Joined a load'],
  ['stale', 'Past its TTL'], ['miss', 'Loaded'], ['bypass', 'Without the cache'],
];
// The points have them in the order of the counters.
const PLACE = { local: 0, hit: 1, stale: 2, joined: 3, miss: 4, bypass: 5 };

const answered = row => row.local_hits + row.hits + row.shadow_hits + row.stale + row.joined;
const reads = row => answered(row) + row.misses + row.bypasses;
const ratio = row => reads(row) ? answered(row) / reads(row) : null;
const saved = row => row.load_times.count ? answered(row) * row.load_times.sum / row.load_times.count : 0;
const fresh = row => row.audits ? 1 - row.stale_audits / row.audits : null;
const isReader = (row, mode) => mode != null || reads(row) > 0;
const sum = (rows, of) => rows.reduce((all, row) => all + of(row), 0);

// The last part of the path, and what is before it.
function parts(path) {
  const at = path.lastIndexOf('::');
  return at < 0 ? [path, ''] : [path.slice(at + 2), path.slice(0, at)];
}

// Histograms of one scale, added up.
function merged(histograms) {
  const first = histograms[0];
  if (!first) return null;
  const buckets = first.buckets.map((bucket, i) => ({ le: bucket.le, count: sum(histograms, one => one.buckets[i].count) }));
  return { count: sum(histograms, one => one.count), sum: sum(histograms, one => one.sum), buckets };
}

// As the library does it: linear inside of a bucket, and the greatest bound in the last one.
function quantile(histogram, share) {
  if (!histogram || !histogram.count) return null;
  const rank = share * histogram.count;
  let below = 0, lower = 0;
  for (const { le, count } of histogram.buckets) {
    if (le == null) return lower;
    if (count > below && count >= rank) return lower + (le - lower) * (rank - below) / (count - below);
    [below, lower] = [count, le];
  }
  return lower;
}

// Per second between neighbouring points: the reads of each kind.
function rates(points) {
  const steps = [];
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const time = (b.at_ms - a.at_ms) / 1000;
    if (time > 0) steps.push({ at: b.at_ms, reads: b.reads.map((n, kind) => Math.max(0, n - a.reads[kind]) / time) });
  }
  return steps;
}

// Per second, of one function: what the cache answered, and all.
function functionRates(points, index) {
  const steps = [];
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1].functions[index], points[i].functions[index]];
    const time = (points[i].at_ms - points[i - 1].at_ms) / 1000;
    if (a && b && time > 0) steps.push((b[1] - a[1]) / time);
  }
  return steps;
}

// The mean of the last steps: a single one jumps.
const latest = steps => steps.length ? steps.slice(-5).reduce((a, b) => a + b, 0) / Math.min(5, steps.length) : 0;

// Another process has numbers of its own: what is known of the one before is no use.
function take(snapshot) {
  if (state.process !== snapshot.process) {
    Object.assign(state, { points: [], events: [], catalog: null, process: snapshot.process });
  }
  state.now = snapshot;
  state.points = state.points.concat(snapshot.points).slice(-150);
  state.events = state.events.concat(snapshot.events).slice(-400);
}

const lastOf = list => list.length ? list[list.length - 1].seq : 0;
