/** What a page that came over https may not dial, and says so only in its console (R188). */
import type { Endpoint } from '../endpoint.js';
import type { Page } from '../platform/page.js';

/** Hosts that browsers trust as they trust https: this machine itself. */
const OWN_MACHINE = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/** Whether the browser refuses this endpoint as mixed content. */
export function isMixedContent(
  { scheme, host }: Endpoint,
  page: Pick<Page, 'isSecure'> | undefined,
): boolean {
  return page?.isSecure === true && scheme === 'ws' && !OWN_MACHINE.test(host);
}
