/** What `pub` and `sub` share: a client, and what is told of its connection. */

import type { FailoverClient } from '../client/client.js';
import { messageOf } from '../errors.js';
import { connect } from '../index.js';
import type { FailoverOptions } from '../options/options.js';
import { toIso } from '../platform/calendar.js';
import type { Arguments } from './arguments.js';
import { discoveryOptions, sessionOptions } from './discovery.js';
import { readList } from './list.js';
import { printable, type Terminal } from './terminal.js';

/** The QoS that was asked for. */
export function qosOf(args: Arguments): 0 | 1 | 2 {
  return (args.number('qos', { min: 0, max: 2 }) ?? 1) as 0 | 1 | 2;
}

/** Connects as the command line says; trouble is told on stderr, once until it changes. */
export async function openSession(
  args: Arguments,
  terminal: Terminal,
  options: FailoverOptions = {},
): Promise<FailoverClient> {
  const { input } = readList(args.required('brokers'), '--brokers');
  const clientId = args.text('client-id');
  const client = connect(input, {
    ...discoveryOptions(args),
    ...(await sessionOptions(args, terminal)),
    ...(clientId === undefined ? {} : { clientId }),
    ...options,
  });
  tellTrouble(client, terminal);
  if (args.flag('trace')) tellSteps(client, terminal);
  return client;
}

/** A line with its time for each step of the connection. */
function tellSteps(client: FailoverClient, terminal: Terminal): void {
  client.on('trace', ({ endpoint, text }) => {
    const time = toIso(terminal.platform.clock.wallNow()).slice(11, 23);
    terminal.note(`${time}  ${printable(`${endpoint}: ${text}`)}`);
  });
}

function tellTrouble(client: FailoverClient, terminal: Terminal): void {
  let told = '';
  const tell = (text: string) => {
    if (text !== told) terminal.note(printable(text));
    told = text;
  };
  client.on('error', (error) => tell(`no broker yet, still trying: ${causesOf(error)}`));
  client.on('discovery-error', ({ error }) => tell(error.message));
  client.on('failover', ({ from, to, offlineMs }) =>
    tell(`moved from ${from} to ${to}, ${Math.round(offlineMs)} ms without a connection`),
  );
}

/** What each endpoint answered; the error around them only says that all failed. */
function causesOf(error: Error): string {
  const { cause } = error;
  return cause instanceof AggregateError ? cause.errors.map(messageOf).join('; ') : error.message;
}
