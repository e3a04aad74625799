/** All that stands at and below a domain, as the primary shows it. */
import type { Answer, RecordType } from 'dns-packet';
import { messageOf } from '../../src/errors.ts';
import { ask } from '../lab/dns-ask.ts';
import { places } from '../lab/lab.ts';
import { waitFor } from '../lab/process.ts';

const timeoutMs = 5000;
const unasked = new Set(['RRSIG', 'NSEC', 'SOA', 'NS', 'DNSKEY']);

/** Lines as `readZone` gives them. */
export type Zone = readonly string[];

/** A bound for a machine that has other things to do. */
const settleMs = 30_000;

/**
 * Lines `name type ttl value`, sorted. The names come from the chain of NSEC records, which leaves none out; what
 * differs from run to run (keys, ids, the installation, the domain's own name, the lane's network) is replaced by a word.
 */
export async function readZone(server: string, domain: string): Promise<Zone> {
  const lines: string[] = [];
  let name = domain;
  do {
    const chain = (await ask({ server, name, type: 'NSEC', timeoutMs })).answers.find(({ type }) => type === 'NSEC');
    if (chain?.type !== 'NSEC') throw new Error(`${server} shows no NSEC record of ${name}`);
    for (const type of chain.data.rrtypes) {
      if (!unasked.has(type)) lines.push(...(await linesOf(server, name, type as RecordType, domain)));
    }
    name = chain.data.nextDomain.replace(/\.$/u, '').toLowerCase();
  } while (name.endsWith(`.${domain}`));
  return lines.sort();
}

async function linesOf(server: string, name: string, type: RecordType, domain: string): Promise<readonly string[]> {
  const { answers } = await ask({ server, name, type, timeoutMs });
  const values = answers.filter((answer) => answer.type === type).map((answer) => valueOf(answer));
  const stable = (line: string): string =>
    line.replaceAll(domain, 'DOMAIN').replace(/10\.53\.[0-9]+\.(?=[0-9]+)/u, 'LANE.');
  return values.map((value) => stable(`${name} ${type} ${value}`));
}

function valueOf(answer: Answer): string {
  const ttl = 'ttl' in answer ? answer.ttl : undefined;
  if (answer.type === 'TXT') {
    const text = [answer.data].flat().map(String).join('');
    return `${ttl} ${text.replace(/id=[^;]*/u, 'id=ID').replace(/owner=.*/u, 'owner=OWNER')}`;
  }
  if (answer.type !== 'TLSA') return `${ttl} ${JSON.stringify('data' in answer ? answer.data : undefined)}`;
  const { usage, selector, matchingType } = answer.data;
  return `${ttl} ${usage} ${selector} ${matchingType} KEY`;
}

/** Of both domains; a challenge that has served goes with the next batch, whenever that is. */
async function lastingZone(first: string, second: string): Promise<Zone> {
  const [own, other] = await Promise.all([first, second].map((domain) => readZone(places.primary.v4, domain)));
  const others = (other ?? []).map((line) => line.replaceAll('DOMAIN', 'SECOND').replaceAll(first, 'DOMAIN'));
  return [...(own ?? []), ...others].filter((line) => !line.startsWith('_acme-challenge.'));
}

/** What stands in the end, and how it differs from the reference, where there is one. */
export async function settledZone(
  first: string,
  second: string,
  reference: Zone | undefined,
): Promise<{ readonly zone: Zone; readonly problems: readonly string[] }> {
  let zone = await lastingZone(first, second);
  if (reference === undefined) return { zone, problems: [] };
  const same = async (): Promise<boolean> => {
    zone = await lastingZone(first, second);
    return zone.join('\n') === reference.join('\n');
  };
  try {
    await waitFor(`the zone of ${first} is as in an undisturbed run`, same, { timeoutMs: settleMs, everyMs: 250 });
    return { zone, problems: [] };
  } catch (error) {
    const extra = zone.filter((line) => !reference.includes(line)).map((line) => `+ ${line}`);
    const missing = reference.filter((line) => !zone.includes(line)).map((line) => `- ${line}`);
    return { zone, problems: [`${messageOf(error)}: ${[...missing, ...extra].join(', ')}`] };
  }
}
