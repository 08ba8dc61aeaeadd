/** What happened, in words, newest first. */

const MAX_ENTRIES = 80;

export class Journal {
  /** @type {HTMLElement} */
  #list;

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  /**
   * @param {'act' | 'good' | 'bad' | 'info'} kind
   * @param {string} text
   */
  add(kind, text) {
    const entry = document.createElement('li');
    entry.className = kind;
    const time = document.createElement('time');
    time.textContent = new Date().toLocaleTimeString('en-GB');
    entry.append(time, ' ', text);
    // Whoever reads further down keeps the place.
    const isReading = this.#list.scrollTop > 0;
    const height = this.#list.scrollHeight;
    this.#list.prepend(entry);
    while (this.#list.children.length > MAX_ENTRIES) this.#list.lastElementChild?.remove();
    if (isReading) this.#list.scrollTop += this.#list.scrollHeight - height;
  }
}
