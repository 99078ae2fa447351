'use strict';
// Conveniences only: every page works without this file.

// The form that carries a SAML response sends itself; without scripts its button does.
document.querySelector('form[data-send]')?.requestSubmit();

for (const button of document.querySelectorAll('button[data-copy]')) {
  button.hidden = false;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    document.getElementById('live').textContent = `${button.getAttribute('aria-label').replace(/^Copy /, '')} copied`;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
}

// As in the access portal: a tile clicked with Shift shows the response instead of sending it.
for (const tile of document.querySelectorAll('a[data-xml]')) {
  tile.addEventListener('click', (event) => {
    if (!event.shiftKey) return;
    event.preventDefault();
    window.location.assign(tile.dataset.xml);
  });
}
