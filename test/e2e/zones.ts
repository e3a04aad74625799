/** The zones of the end-to-end tests: each is a domain of its own, in one kind of state. */
import type { ZoneSpec } from '../lab/dns-zone.ts';
import { places } from '../lab/lab.ts';

/** MX hosts beside mx1 and mx2 of the example. */
export const mxHosts = {
  second: { name: 'mx.second.test', address: '10.53.0.27' },
  unsigned: { name: 'mx.unsigned.test', address: '10.53.0.28' },
  cleartext: { name: 'mx.cleartext.test', address: '10.53.0.29' },
  crash: { name: 'mx.crash.test', address: '10.53.0.30' },
} as const;

/** Somebody's key, that none of our hosts has. */
export const foreignTlsa: string = `3 1 1 ${'ab'.repeat(32)}`;
export const foreignPolicyRecord = 'v=STSv1; id=20200101;';

const own = (label: keyof typeof mxHosts): string => `@ MX 10 mx\nmx A ${mxHosts[label].address}`;
const shared = '@ MX 10 mx1.example.test.\n@ MX 20 mx2.example.test.';
/** A host whose own mail server plays no part in the test. */
const borrowed = `@ MX 10 mx\nmx A ${places.mx1}`;

export const zones: readonly ZoneSpec[] = [
  { name: 'second.test', records: own('second') },
  { name: 'shared.test', records: shared },
  { name: 'plain.test', records: `@ MX 10 mx1.example.test.\n@ MX 20 mx.second.test.` },
  { name: 'unsigned.test', security: 'insecure', records: own('unsigned') },
  { name: 'cleartext.test', records: own('cleartext') },
  { name: 'crash.test', records: own('crash') },
  { name: 'taken.test', records: `${shared}\n_mta-sts TXT "${foreignPolicyRecord}"` },
  { name: 'pinned.test', records: `${borrowed}\n_25._tcp.mx TLSA ${foreignTlsa}` },
  { name: 'guarded.test', records: borrowed },
  { name: 'untended.test', records: borrowed },
  { name: 'wrongkey.test', records: shared },
  { name: 'caless.test', records: shared },
  { name: 'visitor.test', records: shared },
];

/** What the two MX hosts of the example take mail for beside it. */
export const sharedDomains: readonly string[] = ['shared.test', 'plain.test'];
