/**
 * Registers a broker node in etcd for as long as this process lives. Run one beside each broker.
 *
 *     etcd --data-dir "$(mktemp -d)"                                    # once, to try it
 *     node examples/registry/etcd/register.mjs n1 mqtts://n1.example.com:8883
 *
 * The key hangs on a lease of five seconds that is kept alive: when the machine dies, so does the entry. ETCD names
 * another etcd than http://127.0.0.1:2379.
 */
const [id, ...urls] = process.argv.slice(2);
const etcd = process.env.ETCD ?? 'http://127.0.0.1:2379';
const TTL_SECONDS = 5;

if (!id || urls.length === 0) {
  console.error('usage: register.mjs <id> <url…>');
  process.exit(2);
}

/** The JSON gateway of etcd v3: everything is a POST, keys and values are base64. */
async function call(path, body) {
  const signal = AbortSignal.timeout(TTL_SECONDS * 1_000);
  const response = await fetch(`${etcd}/v3/${path}`, { method: 'POST', body: JSON.stringify(body), signal });
  if (!response.ok) throw new Error(`etcd answers ${response.status} to ${path}`);
  return response.json();
}

const base64 = (text) => Buffer.from(text).toString('base64');

async function register() {
  const { ID: lease } = await call('lease/grant', { TTL: TTL_SECONDS });
  const value = JSON.stringify({ urls, since: new Date().toISOString() });
  await call('kv/put', { key: base64(`/mqtt/nodes/${id}`), value: base64(value), lease });
  console.log(`registered ${id}`);
  return lease;
}

let lease = await register();

setInterval(
  async () => {
    try {
      const { result } = await call('lease/keepalive', { ID: lease });
      // No TTL: the lease ran out while etcd or we were away.
      if (!result.TTL) lease = await register();
    } catch (error) {
      console.error(error.message);
    }
  },
  (TTL_SECONDS * 1_000) / 3,
);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await call('lease/revoke', { ID: lease }).catch(() => {});
    process.exit(0);
  });
}
