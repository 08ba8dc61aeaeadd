/** Light or dark: as the system says, until the visitor says otherwise. A plain script, so that nothing flashes. */
(() => {
  const KEY = 'fleet-theme';
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');

  /** A page whose storage is closed to it starts with the system's theme every time. */
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const chosen = stored();
  if (chosen === 'light' || chosen === 'dark') root.dataset.theme = chosen;

  const isDark = () => (root.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';

  document.addEventListener('DOMContentLoaded', () => {
    const button = /** @type {HTMLButtonElement} */ (document.getElementById('theme'));
    const show = () => button.setAttribute('aria-checked', `${isDark()}`);
    show();
    system.addEventListener('change', show);
    button.addEventListener('click', () => {
      root.dataset.theme = isDark() ? 'light' : 'dark';
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // It holds for this visit.
      }
      show();
    });
  });
})();
