/** Which topics a filter takes [MQTT 5.0 §4.7]. */

/** Whether `filter`, which may be that of a shared subscription, takes `topic`. Linear in their lengths. */
export function takes(filter: string, topic: string): boolean {
  const own = filter.startsWith('$share/') ? filter.split('/').slice(2) : filter.split('/');
  const levels = topic.split('/');
  // A wildcard at the first level takes no topic of the server's own [MQTT-4.7.2-1].
  if (topic.startsWith('$') && (own[0] === '#' || own[0] === '+')) return false;
  for (const [i, level] of own.entries()) {
    if (level === '#') return true;
    if (i >= levels.length) return false;
    if (level !== '+' && level !== levels[i]) return false;
  }
  return own.length === levels.length;
}
