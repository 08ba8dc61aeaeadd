/** What a process of this machine has used, from Linux's /proc. */
import { readFileSync } from 'node:fs';

/** `sysconf(_SC_CLK_TCK)`, which Linux has fixed for user space. */
const TICKS_PER_SECOND = 100;

/** Milliseconds of CPU time, user and system, of all threads; in steps of 10. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in parentheses and may hold anything; what follows it counts from field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

/** Bytes of memory that are resident. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
