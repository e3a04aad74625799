/** Hands and eyes at moto itself, past all that stands in front of it. */
import { type RecordSet, type RecordType, canonicalValue, recordTypes } from '../../src/dns/rrset.ts';
import { type ApiChange, type ApiSet, changesXml, createZoneXml, element, elements, readSets } from './route53-xml.ts';

/** moto asks for it, and tells by it which API is meant. */
const authorization =
  'AWS4-HMAC-SHA256 Credential=LAB/20260101/us-east-1/route53/aws4_request, SignedHeaders=host, Signature=0';

/** Records that go into one request: moto counts those of an UPSERT twice, and takes 1000. */
const recordsARequest = 400;

export interface Hands {
  /** The id of a new zone. */
  readonly createZone: (name: string, isPrivate: boolean) => Promise<string>;
  /** Takes a zone with all that it holds away. */
  readonly removeZone: (id: string) => Promise<void>;
  /** What stands in a zone, by its id, in moto's order. */
  readonly read: (id: string) => Promise<readonly ApiSet[]>;
  readonly write: (id: string, changes: readonly ApiChange[]) => Promise<void>;
  /** The elements of all zones. */
  readonly zones: () => Promise<readonly string[]>;
}

export function createHands(moto: string): Hands {
  const call = async (method: string, path: string, body?: string): Promise<string> => {
    const headers = { authorization, 'content-type': 'application/xml' };
    const answer = await fetch(`${moto}/2013-04-01${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`moto: ${answer.status} ${text}`);
    return text;
  };
  const read: Hands['read'] = async (id) => {
    const sets: ApiSet[] = [];
    for (let from = ''; ; ) {
      const page = await call('GET', `/hostedzone/${id}/rrset?maxitems=1000${from}`);
      sets.push(...readSets(page));
      const name = element(page, 'NextRecordName');
      if (name === undefined) return sets;
      from = `&name=${encodeURIComponent(name)}&type=${element(page, 'NextRecordType')}`;
    }
  };
  const write: Hands['write'] = async (id, changes) => {
    // moto refuses a CREATE of what once stood, and compares a DELETE with the order of what was written.
    const all = changes.map((change) => (change.action === 'CREATE' ? { ...change, action: 'UPSERT' } : change));
    for (let rest = all; rest.length > 0; ) {
      let records = 0;
      const end = rest.findIndex(({ set }) => (records += set.values.length) > recordsARequest);
      const cut = end < 0 ? rest.length : Math.max(1, end);
      await call('POST', `/hostedzone/${id}/rrset/`, changesXml(rest.slice(0, cut)));
      rest = rest.slice(cut);
    }
  };
  return {
    createZone: async (name, isPrivate) => {
      const answer = await call('POST', '/hostedzone', createZoneXml(name, isPrivate, crypto.randomUUID()));
      return (element(answer, 'Id') ?? '').replace('/hostedzone/', '');
    },
    removeZone: async (id) => {
      const sets = (await read(id)).filter(({ type }) => type !== 'NS' && type !== 'SOA');
      await write(
        id,
        sets.map((set) => ({ action: 'DELETE', set })),
      );
      await call('DELETE', `/hostedzone/${id}`);
    },
    read,
    write,
    zones: async () => elements(await call('GET', '/hostedzonesbyname'), 'HostedZone'),
  };
}

/** Record sets as Mailseal compares them, of the types that it knows; what answers by rules is left out. */
export function recordSets(sets: readonly ApiSet[]): readonly RecordSet[] {
  return sets.flatMap(({ name, type: shown, ttl = 0, values, identifier }): readonly RecordSet[] => {
    const type = recordTypes.find((known) => known === shown);
    if (type === undefined || identifier !== undefined || values.length === 0) return [];
    return [{ name: name.replace(/\.$/, ''), type, ttl, values: values.map((value) => canonical(type, value)) }];
  });
}

function canonical(type: RecordType, value: string): string {
  if (type !== 'TXT') {
    const result = canonicalValue(type, value);
    return result.ok ? result.value : value;
  }
  const strings = [...value.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, inner = '']) => inner);
  // One character an octet, and then what the octets spell.
  const octets = strings
    .join('')
    .replace(/\\([0-7]{3})|\\(.)/gs, (_, octal?: string, char?: string) =>
      octal === undefined ? (char ?? '') : String.fromCharCode(Number.parseInt(octal, 8)),
    );
  return Buffer.from(octets, 'latin1').toString('utf8');
}
