/** TypeScript that becomes CommonJS: `npm start -- mqtt://…,mqtt://…` publishes one message, and says who has it. */
import { type ClientStatus, connectAsync, type FailoverOptions, isFailoverError } from 'mqtt-failover';

const options: FailoverOptions = { clientId: 'typescript-cjs', backoff: { maxMs: 5_000 } };

async function main(): Promise<void> {
  const client = await connectAsync(process.argv[2] ?? 'mqtt://127.0.0.1:1883,127.0.0.1:1884', options);
  client.on('failover', ({ from, to }) => console.log(`moved from ${from} to ${to}`));
  await client.publishAsync('hello', 'from CommonJS', { qos: 1 });
  const { current }: ClientStatus = client.status();
  console.log(`delivered by ${current}`);
  await client.endAsync();
}

main().catch((error: unknown) => {
  console.error(isFailoverError(error) ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
});
