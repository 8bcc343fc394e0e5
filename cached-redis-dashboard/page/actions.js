// What changes something. The header is one that no other page can send.
async function act(action, done) {
  try {
    const answer = await fetch(base + 'api/actions', {
      method: 'POST', body: JSON.stringify(action),
      headers: { 'content-type': 'application/json', 'x-cached-redis-action': '1' },
    });
    const told = await answer.json();
    if (!answer.ok) return tell(`Refused: ${told.message}.`, true);
    tell(told.confirmed ? done : `${done} The store has not confirmed it yet; it is repeated until it does.`);
    look();
  } catch {
    tell('The dashboard did not answer. Whether it was done is not known.', true);
  }
}

function tell(text, isBad = false) {
  const told = $('told');
  told.className = isBad ? 'told bad' : 'told';
  told.textContent = text;
}

// Asks once more before it does it, and forgets that it was asked.
function twice(label, question, run) {
  const button = h('button', { type: 'button', class: 'danger' }, label);
  const calm = () => { delete button.dataset.asked; button.textContent = label; };
  button.addEventListener('click', () => {
    if (button.dataset.asked) { calm(); run(); return; }
    button.dataset.asked = '1';
    button.textContent = question;
  });
  button.addEventListener('blur', calm);
  return button;
}

function functionActions(path) {
  const [name] = parts(path);
  const long = h('select', { name: 'minutes', 'aria-label': 'For how long' }, [[10, '10 min'], [60, '1 h'], [1440, '1 d']].map(([minutes, text]) => h('option', { value: minutes }, text)));
  const modes = ['on', 'shadow', 'off'].map(mode => h('button', { type: 'button', 'data-mode': mode,
    onclick: () => act({ action: 'set_mode', function: path, mode, minutes: Number(long.value) }, `${name} is ${mode} in all processes, for ${long.selectedOptions[0].text}.`) }, mode[0].toUpperCase() + mode.slice(1)));
  const reset = h('button', { type: 'button', class: 'quiet', onclick: () => act({ action: 'reset_mode', function: path }, `${name} follows its program again.`) }, 'Reset');
  const clear = twice('Clear all entries', `Clear ${name}? Press again`, () => act({ action: 'clear', function: path }, `All entries of ${name} are cleared.`));
  const element = h('div', { class: 'act' }, h('span', { class: 'muted' }, 'Mode, in all processes'),
    h('span', { class: 'group', role: 'group', 'aria-label': `Mode of ${name}` }, modes), h('span', { class: 'muted' }, 'for'), long, reset, h('span', { class: 'grow' }), clear);
  const update = one => modes.forEach(button => button.setAttribute('aria-pressed', button.dataset.mode === one.mode));
  return { element, update };
}

function makeActions() {
  $('invalidate').addEventListener('submit', event => {
    event.preventDefault();
    const key = $('key').value;
    act({ action: 'invalidate', key }, `${key} is invalidated.`).then(() => { $('key').select(); });
  });
}
