/** The webhook provider against a strict webhook in front of BIND. */
import { join } from 'node:path';
import { capabilitiesOf } from '../../../src/api/capabilities.ts';
import { createProvider } from '../../../src/apply/providers/index.ts';
import { quoteTxt } from '../../../src/dns/txt.ts';
import { type Bind, startBind } from '../../lab/dns.ts';
import { addAddress, newFolder } from '../../lab/namespace.ts';
import { type Endpoint, startWebhook } from '../../lab/webhook.ts';
import { contract, type Ground } from './contract.ts';
import { parts } from './parts.ts';
import { standingAt } from './standing.ts';

const zone = 'example.test';
const subZone = `sub.${zone}`;
const bigZone = 'big.test';
const zones = [zone, subZone, bigZone];

const records = ['mx1 IN A 192.0.2.1', 'alias IN CNAME mx1', 'full IN A 192.0.2.1'].join('\n');
const many = Array.from({ length: 10_000 }, (_, at) => `h${at} IN A 192.0.2.1`).join('\n');

/** A name of a zone file without its final dot, as external-dns has names. */
const bare = (name: string): string => name.replace(/\.$/u, '');

function endpointsOf(lines: readonly string[]): readonly Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const line of lines) {
    const [, name = '', ttl = '', type = '', data = ''] = /^(\S+)\s+(\d+)\s+IN\s+(\S+)\s+(.*)$/u.exec(line) ?? [];
    if (!['A', 'AAAA', 'CNAME', 'TXT'].includes(type)) continue;
    const key = `${name} ${type}`;
    const targets = [...(found.get(key)?.targets ?? []), type === 'CNAME' ? bare(data) : data];
    found.set(key, { dnsName: bare(name), recordType: type, targets, recordTTL: Number(ttl) });
  }
  return [...found.values()];
}

/** The zones through BIND's own tools; a zone is read again when its serial has changed. */
function storeOf(bind: Bind): Parameters<typeof startWebhook>[0] {
  const read = new Map<string, { readonly serial: number; readonly endpoints: readonly Endpoint[] }>();
  const readZone = async (of: string): Promise<readonly Endpoint[]> => {
    const serial = await bind.serial(of);
    const known = read.get(of);
    if (known?.serial === serial) return known.endpoints;
    const endpoints = endpointsOf(await bind.transfer(of));
    read.set(of, { serial, endpoints });
    return endpoints;
  };
  const data = ({ recordType, targets }: Endpoint): readonly string[] =>
    recordType === 'CNAME' ? targets.map((target) => `${target}.`) : targets;
  return {
    include: zones,
    records: async () => (await Promise.all(zones.map(readZone))).flat(),
    write: async (before, after) => {
      const { dnsName, recordType } = before ?? after ?? { dnsName: '', recordType: '' };
      const of = zones.filter((one) => dnsName.endsWith(`.${one}`)).sort((a, b) => b.length - a.length)[0];
      const conditions =
        before === undefined
          ? [`prereq nxrrset ${dnsName}. ${recordType}`]
          : data(before).map((one) => `prereq yxrrset ${dnsName}. ${recordType} ${one}`);
      const added = after === undefined ? [] : data(after);
      await bind.dynamicUpdate(
        [
          `zone ${of}`,
          ...conditions,
          `update delete ${dnsName}. ${recordType}`,
          ...added.map((one) => `update add ${dnsName}. ${after?.recordTTL ?? 60} ${recordType} ${one}`),
        ].join('\n'),
        'tsig',
      );
    },
  };
}

async function start(): Promise<Ground> {
  const [primary, secondary] = ['10.53.31.1', '10.53.31.2'];
  for (const address of [primary, secondary]) await addAddress(address);
  const bind = await startBind({
    dir: join(newFolder('webhook'), 'bind'),
    primary: { v4: primary },
    secondary: { v4: secondary },
    zones: [
      { name: zone, records, security: 'insecure' },
      { name: subZone, security: 'insecure' },
      { name: bigZone, records: many, security: 'insecure' },
    ],
  });
  const webhook = await startWebhook(storeOf(bind));
  const provider = await createProvider({ zones, webhook: { url: webhook.url, plainHttp: true } }, {}, parts());
  return {
    provider,
    zone,
    subZone,
    bigZone,
    absentZone: 'elsewhere.test',
    byHand: async (of, { name, type, ttl, values }) => {
      const text = (value: string): string =>
        type === 'TXT' ? quoteTxt(value) : type === 'CNAME' ? `${value}.` : value;
      const added = values.map((value) => `update add ${name}. ${ttl} ${type} ${text(value)}`);
      await bind.dynamicUpdate([`zone ${of}`, `update delete ${name}. ${type}`, ...added].join('\n'));
    },
    standing: (_zone, name, type) => standingAt(primary, name, type),
    calls: () => {
      const writes = webhook.calls.filter(({ method, path }) => method === 'POST' && path === '/records').length;
      return { writes, reads: webhook.calls.length - writes };
    },
    loseAnswer: webhook.loseAnswer,
    throttle: webhook.throttle,
    failHalfway: webhook.failHalfway,
    stop: async () => {
      provider.close?.();
      await webhook.stop();
      await bind.stop();
    },
  };
}

contract(
  'webhook',
  {
    capabilities: capabilitiesOf.webhook,
    has: { stranger: false, loseAnswer: true, throttle: true, failHalfway: true, absentZone: true },
  },
  start,
);
