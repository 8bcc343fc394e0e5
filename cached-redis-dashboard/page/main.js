// The page may be anywhere; `/cache` and `/cache/` are the same place.
const base = location.pathname.replace(/\/*$/, '/');
const EVERY = 2000, SLOWEST = 10000, PATIENCE = 10000;
let heard = null, pause = EVERY, timer = 0, isAsking = false;

async function ask(path) {
  const answer = await fetch(base + path, { signal: AbortSignal.timeout(PATIENCE), headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Error(`the dashboard answers ${answer.status}`);
  return answer.json();
}

async function look() {
  if (isAsking) return;
  clearTimeout(timer);
  isAsking = true;
  try {
    take(await ask(`api/snapshot?process=${state.process}&event=${lastOf(state.events)}&point=${lastOf(state.points)}`));
    if (!state.catalog) state.catalog = await ask('api/catalog');
    [heard, pause] = [Date.now(), EVERY];
    show();
  } catch (error) {
    pause = Math.min(SLOWEST, pause * 1.5);
    showLost(error);
  } finally {
    isAsking = false;
    if (!document.hidden) timer = setTimeout(look, pause);
  }
}

function show() {
  const { stats, version } = state.now;
  document.title = `${stats.namespace} · cache`;
  say($('namespace'), stats.namespace);
  say($('about'), `This process alone, since it was started. cached-redis-dashboard ${version}`);
  $('invalidate').hidden = !state.now.actions;
  showVerdict(); showTraffic(); showTiles(); showFunctions(); showStore(); showLocal(); showPending(); showCatalog(); showEvents();
  showLive();
}

function showLive() {
  const isLost = !$('lost').hidden;
  if (heard && isLost) { $('lost').hidden = true; $('main').classList.remove('old'); }
  $('live').dataset.state = 'on';
  say($('live-text'), 'Live');
}

function showLost(error) {
  const since = heard ? ` for ${seconds(Math.max(1, Math.round((Date.now() - heard) / 1000)))}: the numbers below are from before` : '';
  const why = error.message.startsWith('the dashboard answers') ? `${error.message}` : 'it does not answer';
  $('lost').hidden = false;
  say($('lost'), `No news from the program${since} (${why}). Trying again.`);
  $('main').classList.add('old');
  $('verdict-title').dataset.severity = 'warning';
  say($('verdict-title'), 'Not known.');
  $('live').dataset.state = 'lost';
  say($('live-text'), 'Lost');
}

// The choice is for this browser, where it lets a page remember one.
const THEMES = { auto: 'light dark', light: 'light', dark: 'dark' };
function setTheme(theme) {
  document.documentElement.style.colorScheme = THEMES[theme];
  $('theme').textContent = `Theme: ${theme}`;
  $('theme').dataset.theme = theme;
  try { localStorage.setItem('cached-redis-theme', theme); } catch { /* then it does not */ }
}

function begin() {
  let theme = 'auto';
  try { theme = localStorage.getItem('cached-redis-theme') || theme; } catch { /* as above */ }
  setTheme(THEMES[theme] ? theme : 'auto');
  const next = { auto: 'light', light: 'dark', dark: 'auto' };
  $('theme').addEventListener('click', () => setTheme(next[$('theme').dataset.theme]));
  const filter = $('filter');
  const filtered = () => { state.filter = filter.value; if (state.now) showFunctions(); };
  filter.addEventListener('input', filtered);
  document.addEventListener('keydown', event => {
    const isTyping = event.target instanceof HTMLInputElement;
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); filter.focus(); filter.select(); }
    if (event.key === 'Escape' && event.target === filter) { filter.value = ''; filtered(); filter.blur(); }
  });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
  makeHeads();
  makeActions();
  look();
}
begin();
