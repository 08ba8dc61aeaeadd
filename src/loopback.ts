/** Names and addresses of this machine: what is said to them needs no encryption. */

/** Whether `host` is this machine by its name or address, in any letter case, IPv6 with or without brackets (RFC 6761 §6.3). */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}
