// Elements are made one by one, and texts put in as texts: nothing in here can become markup.
const SVG = 'http://www.w3.org/2000/svg';
const $ = id => document.getElementById(id);

function put(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter(child => child != null && child !== false));
  return element;
}
const h = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

// Leaves alone what is there already, so that screen readers are told of changes alone.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SIGNS = {
  good: ['M3 8.5 6.5 12 13 4.5', 'Good'],
  info: ['M8 7v5M8 4.2v.1M8 1.5a6.5 6.5 0 1 0 .01 0z', 'Note'],
  warning: ['M8 6v3.6M8 12v.1M8 1.8 1.5 13.6h13z', 'Warning'],
  bad: ['M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4M8 1.5a6.5 6.5 0 1 0 .01 0z', 'Problem'],
};
// A sign has a shape and a word of its own: colour is not all that tells.
function sign(severity) {
  const [path, word] = SIGNS[severity];
  return s('svg', { class: 'sign', viewBox: '0 0 16 16', role: 'img', 'aria-label': word }, s('path', { d: path }));
}

function facts(rows) {
  const known = rows.filter(row => row && row[1] != null);
  return h('dl', { class: 'facts' }, known.flatMap(([name, value, tone]) =>
    [h('dt', null, name), h('dd', tone ? { class: tone } : null, value)]));
}

const NUMBER = new Intl.NumberFormat('en');
const count = n => NUMBER.format(n);
const some = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;

function short(n) {
  if (n < 10000) return count(n);
  const [size, unit] = n < 1e6 ? [1e3, 'k'] : n < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  return (n / size).toFixed(n / size < 100 ? 1 : 0) + ' ' + unit;
}
// Three figures are enough.
const figures = n => n === 0 ? '0' : n < 10 ? n.toFixed(n < 1 ? 2 : 1) : n < 1000 ? n.toFixed(0) : short(Math.round(n));
const percent = share => share == null ? '–' : (share > .9995 && share < 1 ? '99.9' : (share * 100).toFixed(share === 1 ? 0 : 1)) + ' %';

function seconds(t) {
  if (t == null) return '–';
  if (t === 0) return '0 s';
  if (t < .001) return Math.max(1, Math.round(t * 1e6)) + ' µs';
  if (t < 1) return (t * 1e3).toFixed(t < .01 ? 1 : 0) + ' ms';
  if (t < 60) return t.toFixed(t < 10 ? 1 : 0) + ' s';
  const parts = t < 3600 ? [t / 60, 'min', t % 60, 's'] : t < 86400 ? [t / 3600, 'h', t % 3600 / 60, 'min'] : [t / 86400, 'd', t % 86400 / 3600, 'h'];
  const rest = Math.floor(parts[2]);
  return `${Math.floor(parts[0])} ${parts[1]}` + (rest ? ` ${rest} ${parts[3]}` : '');
}

function bytes(n) {
  if (n == null) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (n >= 1024 && unit < 4) { n /= 1024; unit++; }
  return (unit && n < 100 ? n.toFixed(1) : Math.round(n)) + ' ' + units[unit];
}

const ago = (ms, now) => now - ms < 2000 ? 'now' : seconds(Math.floor(Math.max(0, now - ms) / 1000)) + ' ago';
