/** One error for an endpoint, whatever became of each of its addresses. */
import type { Endpoint } from '../endpoint.js';
import { FailoverError, isFailoverError } from '../errors.js';
import { outcomeOf } from '../health/outcomes.js';
import type { HostAddress } from '../platform/ports.js';
import type { Defeat, WayFailure } from './contestant.js';

/** Addresses that an error message names; `cause` has them all. */
const NAMED_ADDRESSES = 4;

type AddressFailure = WayFailure<HostAddress | undefined>;

/** What the loss of a race says about endpoint `id`; an error that is named and typed already stays as it is. */
export function transportError(
  id: string,
  { timedOut, failures }: Defeat<HostAddress | undefined>,
  deadlineMs: number,
): FailoverError {
  const [only] = failures;
  if (failures.length === 1 && isFailoverError(only?.error)) return only.error;
  const several = failures.length > 1;
  const details = { endpoint: id, retryable: true };
  if (timedOut) {
    const text = `No transport to ${id} within ${deadlineMs} ms${several ? `: ${summary(failures)}` : ''}`;
    const outcome = { kind: 'link', code: 'transport-timeout' } as const;
    const cause = several ? { cause: aggregate(failures) } : {};
    return new FailoverError('ERR_TRANSPORT_TIMEOUT', text, { ...details, ...cause, outcome });
  }
  const cause = several ? aggregate(failures) : only?.error;
  const text = several ? summary(failures) : reasonOf(cause);
  return new FailoverError('ERR_TRANSPORT', `Cannot reach ${id}: ${text}`, {
    ...details,
    outcome: outcomeOf(cause, { kind: 'link', code: 'closed-before-connack' }),
    cause,
  });
}

/** A host without an address that could be dialed. */
export function noAddress({ id, host }: Endpoint, found: readonly HostAddress[]): FailoverError {
  const named = found.slice(0, NAMED_ADDRESSES).map(({ address }) => address);
  const text =
    found.length === 0
      ? `${host} has no address`
      : `no address of ${host} may be dialed from here: ${listed(named, found.length)}`;
  return new FailoverError('ERR_TRANSPORT', `Cannot reach ${id}: ${text}`, {
    endpoint: id,
    retryable: true,
    outcome: { kind: 'socket', code: 'ENOTFOUND' },
  });
}

function aggregate(failures: readonly AddressFailure[]): AggregateError {
  return new AggregateError(failures.map(({ error }) => error ?? silence()));
}

/** An address that was given up for another one, or at the deadline. */
function silence(): Error {
  return Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
}

function summary(failures: readonly AddressFailure[]): string {
  const named = failures.slice(0, NAMED_ADDRESSES).map(({ way, error }) => {
    const reason = error === undefined ? 'no answer' : (codeOf(error) ?? reasonOf(error));
    return `${way?.address ?? ''} ${reason}`.trim();
  });
  return listed(named, failures.length);
}

function listed(named: readonly string[], total: number): string {
  return `${named.join(', ')}${total > named.length ? ` and ${total - named.length} more` : ''}`;
}

function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** Node's errors for several addresses have an empty message and the reasons inside. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(reasonOf).join(', ');
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}
