// The programs that the suites against real servers need, and the Debian packages that have them.
// `node scripts/programs.mjs` prints the packages that are missing here, one a line.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = {
  system: {
    mosquitto: 'mosquitto',
    openssl: 'openssl',
    named: 'bind9',
    nsupdate: 'bind9-dnsutils',
    dnsmasq: 'dnsmasq-base',
    haproxy: 'haproxy',
    nginx: 'nginx',
    etcd: 'etcd-server',
    'redis-server': 'redis-server',
    'nats-server': 'nats-server',
    rabbitmqctl: 'rabbitmq-server',
    ejabberdctl: 'ejabberd',
  },
  browser: {
    chromium: 'chromium',
    mosquitto: 'mosquitto',
    named: 'bind9',
    nsupdate: 'bind9-dnsutils',
    haproxy: 'haproxy',
  },
};

/** Where Debian keeps servers; not every user's PATH has it. */
export const PATH = [process.env.PATH, '/usr/sbin'].join(delimiter);

/** What is missing for `suites`: pairs of program and package. */
export function missingPrograms(suites = Object.keys(PACKAGES)) {
  const wanted = new Map(suites.flatMap((suite) => Object.entries(PACKAGES[suite] ?? {})));
  return [...wanted].filter(([program]) => !isThere(program));
}

function isThere(program) {
  return PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [, name] of missingPrograms()) console.log(name);
}
