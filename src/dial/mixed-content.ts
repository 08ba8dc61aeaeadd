/** What a page that came over https may not dial, and says so only in its console (R188). */
import type { Endpoint } from '../endpoint.js';
import { isLoopback } from '../loopback.js';
import type { Page } from '../platform/page.js';

/** Whether the browser refuses this endpoint as mixed content. It trusts this machine itself as it trusts https. */
export function isMixedContent(
  { scheme, host }: Endpoint,
  page: Pick<Page, 'isSecure'> | undefined,
): boolean {
  return page?.isSecure === true && scheme === 'ws' && !isLoopback(host);
}
