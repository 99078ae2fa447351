/* SiQ behaviour layer. Every feature below improves a page that already works without it.
   No inline handlers, no eval, no style attributes: safe under script-src 'self'; style-src 'self'. */
(() => {
  'use strict';
  const root = document.documentElement;
  const $ = (s, el = document) => el.querySelector(s);
  const $$ = (s, el = document) => [...el.querySelectorAll(s)];
  root.classList.add('js');

  /* One polite live region for the whole page. Announce short facts, never whole paragraphs. */
  const live = $('#live');
  const say = (text) => { if (live) { live.textContent = ''; requestAnimationFrame(() => { live.textContent = text; }); } };

  /* Theme: a cookie that the server renders. The form posts without scripts; with them the page does not reload. */
  document.addEventListener('submit', async (e) => {
    const form = e.target.closest('[data-theme-form]');
    if (!form || !e.submitter) return;
    e.preventDefault();
    const theme = e.submitter.value;
    if (theme === 'system') root.removeAttribute('data-theme'); else root.dataset.theme = theme;
    $$('button', form).forEach((b) => b.setAttribute('aria-pressed', b === e.submitter));
    say(`Theme: ${theme}`);
    const answer = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form, e.submitter)), redirect: 'manual' }).catch(() => null);
    if (!answer || answer.status >= 400) say('The theme was not saved. It holds until you leave this page.');
  });

  /* Copy buttons. The label changes in place for 2 s; the live region repeats it for screen readers. */
  document.addEventListener('click', async (e) => {
    const b = e.target.closest('[data-copy]');
    if (!b) return;
    const src = document.getElementById(b.dataset.copy);
    const text = src ? (src.value ?? src.textContent).trim() : '';
    const label = $('.copybtn__t', b) || b;
    const was = b.dataset.was || (b.dataset.was = label.textContent);
    let ok = true;
    try { await navigator.clipboard.writeText(text); } catch {
      ok = false;
      if (src && src.select && !src.hidden) { src.focus(); src.select(); } else if (src) { getSelection().selectAllChildren(src); }
    }
    label.textContent = ok ? 'Copied' : 'Press Ctrl+C';
    b.toggleAttribute('data-done', ok);
    say(ok ? `${b.dataset.name || 'Value'} copied` : 'Value selected. Press Control C to copy.');
    setTimeout(() => { label.textContent = was; b.removeAttribute('data-done'); }, 2000);
  });

  /* Tabs. Without scripts the panels follow one another and the tab links jump to them. */
  const tabs = (list) => {
    const links = $$('a', list);
    list.setAttribute('role', 'tablist');
    const show = (link, focus) => {
      links.forEach((l) => {
        const on = l === link;
        l.setAttribute('aria-selected', on); l.tabIndex = on ? 0 : -1;
        $(l.hash).hidden = !on;
      });
      if (focus) link.focus();
    };
    links.forEach((l, i) => {
      const panel = $(l.hash);
      l.setAttribute('role', 'tab'); l.id ||= `${panel.id}-tab`; l.setAttribute('aria-controls', panel.id);
      panel.setAttribute('role', 'tabpanel'); panel.setAttribute('aria-labelledby', l.id);
      l.addEventListener('click', (e) => { e.preventDefault(); show(l); });
      l.addEventListener('keydown', (e) => {
        const n = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: links.length - 1 }[e.key];
        if (n === undefined) return;
        e.preventDefault(); show(links.at(n % links.length), true);
      });
    });
    list.showPanel = (id) => { const l = links.find((x) => x.hash === `#${id}`); if (l) show(l); };
    show(links.find((l) => l.hash === location.hash) || links.find((l) => l.hasAttribute('data-selected')) || links[0]);
  };

  /* Fields that matter only when another has a certain value. The server ignores them then in any case. */
  const showIf = (form) => {
    const dependants = $$('[data-show-if]', form).map((el) => [el, el.dataset.showIf.split('&').map((part) => part.split('='))]);
    if (!dependants.length) return;
    const valueOf = (name) => {
      const inputs = $$('input, select, textarea', form).filter((i) => i.name === name && i.type !== 'hidden');
      const one = inputs.find((i) => i.type !== 'radio' || i.checked);
      return one ? (one.type === 'checkbox' ? String(one.checked) : one.value) : '';
    };
    const run = () => dependants.forEach(([el, wanted]) => {
      el.hidden = !wanted.every(([name, value]) => valueOf(name) === value);
    });
    form.addEventListener('input', run); run();
  };

  /* Certificate and metadata boxes: a chosen or dropped file fills the text area. The server reads either one. */
  const certificate = (box) => {
    const area = $('textarea', box), file = $('input[type=file]', box), out = $('[data-cert-msg]', box);
    const tell = (text) => { out.textContent = text; say(text); };
    const load = async (f) => {
      if (!f) return;
      if (f.size > 65536) { file.value = ''; tell('That file is larger than 64 KB. Choose a smaller one.'); return; }
      const bytes = new Uint8Array(await f.arrayBuffer());
      if (bytes.includes(0) || bytes[0] === 0x30) {  // DER is binary: the server reads the file itself
        if (file.files[0] !== f) { const chosen = new DataTransfer(); chosen.items.add(f); file.files = chosen.files; }
        area.value = ''; tell(`${f.name} is read when you continue`);
      } else {
        area.value = new TextDecoder().decode(bytes); file.value = '';  // one of the two, or the file would win over later edits
        tell(`Loaded ${f.name}`);
      }
      area.dispatchEvent(new Event('input', { bubbles: true }));
    };
    file.addEventListener('change', () => load(file.files[0]));
    ['dragover', 'dragleave', 'drop'].forEach((t) => box.addEventListener(t, (e) => {
      e.preventDefault(); box.classList.toggle('cert--drag', t === 'dragover');
      if (t === 'drop') load(e.dataTransfer.files[0]);
    }));
  };

  /* A form in a dialog that was changed asks once before it closes. */
  const guard = (form) => {
    const dialog = form.closest('dialog'), msg = $('[data-guard-msg]', form);
    let armed = false;
    form.addEventListener('input', () => { dialog.dataset.changed = ''; });
    dialog.mayClose = () => {
      if (!('changed' in dialog.dataset) || armed) return true;
      armed = true;
      msg.textContent = 'You have unsaved changes. Close again to discard them.'; msg.toggleAttribute('data-on', true);
      say(msg.textContent);
      setTimeout(() => { armed = false; msg.textContent = msg.dataset.guardMsg; msg.removeAttribute('data-on'); }, 6000);
      return false;
    };
  };

  const titled = (wrong) => { document.title = (wrong ? 'Error: ' : '') + document.title.replace(/^Error: /, ''); };

  /* Where focus goes in what was just put on the page: to the problem, to Cancel of a destructive act, to the title. */
  const focusIn = (el) => {
    const place = $('.errors', el) || $('#filled', el) || $('[autofocus]', el) || $('h2[tabindex]', el);
    place?.focus({ preventScroll: true });
    titled(place?.matches('.errors'));
    const body = $('.dlg__body', el); if (body) body.scrollTop = 0;
  };

  let opener = null;
  const opened = (dialog) => {
    dialog.showModal();
    dialog.addEventListener('cancel', (e) => { if (dialog.mayClose && !dialog.mayClose()) e.preventDefault(); });
    dialog.addEventListener('close', () => {
      dialog.remove(); titled(false);
      const back = opener?.id && document.getElementById(opener.id) || opener;
      if (back?.isConnected) back.focus();
    });
    focusIn(dialog);
  };

  const start = (el) => {
    $$('[data-tabs]', el).forEach(tabs);
    $$('form[data-guard]', el).forEach(guard);
    if (el.matches?.('form[data-guard]')) guard(el);
    $$('form', el).concat(el.matches?.('form') ? [el] : []).forEach(showIf);
    $$('[data-cert]', el).forEach(certificate);
  };

  document.addEventListener('click', (e) => {
    const close = e.target.closest('dialog [data-close]');
    if (close) {
      e.preventDefault();
      const dialog = close.closest('dialog');
      if (!dialog.mayClose || dialog.mayClose()) dialog.close();
      return;
    }
    const a = e.target.closest('.errors a');  // opens the right tab and goes to the field
    const field = a && document.getElementById(a.hash.slice(1));
    if (field) {
      e.preventDefault();
      const panel = field.closest('[role=tabpanel]');
      if (panel) $('[data-tabs]', panel.closest('form'))?.showPanel(panel.id);
      field.focus(); field.scrollIntoView({ block: 'center' });
    }
  });

  /* A link that htmx would follow, pressed with a modifier, opens a tab as any link does. */
  document.addEventListener('click', (e) => {
    if ((e.ctrlKey || e.metaKey || e.shiftKey) && e.target.closest('a[hx-get]')) e.stopImmediatePropagation();
  }, true);

  /* Busy buttons: keep the label meaningful, block a second submit, keep focus where it is. */
  const busy = (button, on) => {
    if (on) { button.dataset.label = button.textContent; button.textContent = button.dataset.busy; } else button.textContent = button.dataset.label;
    button.toggleAttribute('data-waiting', on);
    button.setAttribute('aria-busy', on);
  };
  document.addEventListener('submit', (e) => {
    const b = e.submitter;
    if ($('[data-waiting]', e.target)) { e.preventDefault(); e.stopImmediatePropagation(); return; }
    const shown = b?.classList.contains('vh') ? $(`button[data-busy][value="${b.value}"]`, e.target) : b;
    if (shown?.dataset.busy) { busy(shown, true); say(shown.dataset.busy); }
  }, true);
  addEventListener('pageshow', () => $$('[data-waiting]').forEach((b) => busy(b, false)));

  /* What htmx brought. */
  document.addEventListener('htmx:beforeRequest', (e) => {
    const el = e.detail.elt;
    if (el.getAttribute('hx-target') === '#dialogs') { opener = el; el.closest('[popover]')?.hidePopover(); }
    $('[data-lost]')?.remove();
  });
  document.addEventListener('htmx:afterSwap', (e) => {
    const el = e.detail.elt;
    if (e.detail.target.id === 'dialogs') {
      const dialog = $('dialog', e.detail.target);
      if (dialog && !dialog.open) { start(dialog); opened(dialog); }
    } else if (el instanceof Element && el.isConnected) {
      start(el);
      if (el.closest('dialog')) focusIn(el);
      else if (el.matches('details *, .trace')) $('h3', el)?.focus({ preventScroll: true });
      if (el.dataset.count !== undefined) say(`${el.dataset.count} ${el.dataset.count === '1' ? 'integration' : 'integrations'}`);
    }
  });

  /* A post that did not arrive, or was not taken: nothing that was typed is lost, and the next step is said. */
  const lost = (form, title, text, link) => {
    const box = document.createElement('div');
    box.className = 'note note--bad'; box.dataset.lost = ''; box.tabIndex = -1; box.setAttribute('role', 'alert');
    const inner = document.createElement('div'), strong = document.createElement('strong');
    strong.textContent = title; inner.append(strong, text);
    if (link) { const a = document.createElement('a'); a.href = link.href; a.target = '_blank'; a.textContent = link.text; inner.append(' ', a); }
    box.append(inner);
    ($('.dlg__body', form) || form).prepend(box); box.focus(); box.scrollIntoView({ block: 'nearest' });
  };
  const failed = (e) => {
    const form = e.detail.elt.closest('form'), xhr = e.detail.xhr;
    if (!form) {  // a link: follow it as a link, so that the server's own page says what is wrong
      const href = e.detail.elt.getAttribute('href'); if (href) location.assign(href);
      return;
    }
    $$('[data-waiting]', form).forEach((b) => busy(b, false));
    const token = xhr?.getResponseHeader?.('X-Form-Token');
    if (token) $$('input[name=csrf]').forEach((i) => { i.value = token; });
    if (xhr?.status === 401) lost(form, 'You are signed out', 'Your text is still here. Sign in, then press the button again.', { href: '/signin', text: 'Sign in (opens in a new tab)' });
    else if (token) lost(form, 'Your session changed', 'Your text is still here. Press the button again.');
    else if (xhr?.status === 413) lost(form, 'That was too large', 'Choose files of at most 64 KB. Nothing was saved.');
    else if (xhr?.status === 403) lost(form, 'Your changes were not saved', 'Only people with the role Admin or IT can do this. Your text is still here.');
    else lost(form, 'Your changes were not saved', xhr?.status ? 'The server could not do it. Your text is still here. Try again in a minute.' : 'The server did not answer. Your text is still here. Try again.');
  };
  document.addEventListener('htmx:responseError', failed);
  document.addEventListener('htmx:sendError', failed);

  document.addEventListener('keydown', (e) => {
    if (e.key !== '/' || e.metaKey || e.ctrlKey || e.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName) || $('dialog:modal')) return;
    const s = $('[data-slash]'); if (s) { e.preventDefault(); s.focus(); s.select(); }
  });

  start(document);
  ($('main .errors') || $('main #filled'))?.focus({ preventScroll: true });
})();
