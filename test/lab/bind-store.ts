/** Zones of the lab's BIND as a webhook provider of external-dns keeps its records: read by transfer, written by nsupdate. */
import type { Bind } from './dns.ts';
import type { Endpoint, RecordStore, WebhookOptions } from './webhook.ts';

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
export function bindStore(bind: Bind, zones: readonly string[]): RecordStore & Pick<WebhookOptions, 'include'> {
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
