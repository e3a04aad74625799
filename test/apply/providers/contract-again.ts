/** Rows of the contract: what was written is not written again, for it comes back as it was meant. */
import { expect, test } from 'vitest';
import { apiVersion } from '../../../src/api/types.ts';
import { capabilitiesOf, type ProviderType } from '../../../src/api/capabilities.ts';
import { traitsOfAll } from '../../../src/desired/zones.ts';
import type { RecordSet, RecordType } from '../../../src/dns/rrset.ts';
import { planRecords, type RecordsPlan } from '../../../src/plan/records.ts';
import { applied, now, seen, wanted } from '../../plan/cases.ts';
import { change, type Ground, type GroundTraits, set } from './contract-ground.ts';

const hex = (fill: string, bytes: number): string => fill.repeat(bytes);

const kinds: readonly (readonly [RecordType, string, string, readonly string[]])[] = [
  ['A', 'addresses', 'mta-sts.again', ['192.0.2.9', '192.0.2.10', '198.51.100.1']],
  ['AAAA', 'addresses', 'mta-sts.again', ['2001:db8::a', '2001:db8::', '2001:db8:0:1::1']],
  ['CNAME', 'an alias', 'mta-sts.again.alias', ['policy_1.xn--bcher-kva.example.net']],
  ['TXT', 'a long text', '_smtp._tls.again', [`v=TLSRPTv1; rua=${'mailto:reports@example.net,'.repeat(40)}`]],
  ['TXT', 'quotes and backslashes', '_smtp._tls.again', ['v=TLSRPTv1; rua=mailto:"a;b"\\c@example.net; \\"']],
  ['TXT', 'two texts', '_acme-challenge.again', ['first', 'second; third']],
  ['TLSA', 'keys', '_25._tcp.again', [`3 1 1 ${hex('ab', 32)}`, `3 1 2 ${hex('0c', 64)}`, `2 0 1 ${hex('ff', 32)}`]],
];

/** What the operator would do about a set that it has written, and sees so. */
function planned(type: ProviderType, ours: RecordSet, live: RecordSet | undefined): RecordsPlan {
  const spec = { zones: ['example.com'], [type]: {} };
  return planRecords({
    wanted: [wanted(ours)],
    applied: [applied(ours)],
    views: new Map([[`${ours.name} ${ours.type}`, seen(live)]]),
    marked: () => false,
    stranger: () => undefined,
    traits: traitsOfAll([{ apiVersion, kind: 'DNSProvider', metadata: { name: 'main' }, spec }]),
    leads: undefined,
    adopt: new Set(),
    now,
  });
}

export function againRows({ type: api }: GroundTraits, ground: () => Ground): void {
  const fitting = kinds.filter(([type]) => type !== 'TLSA' || capabilitiesOf[api].tlsa);
  test.each(fitting)('a %s set of %s that was written is planned no second time', async (type, _what, host, values) => {
    const { zone, provider } = ground();
    const ours = set(`${host}.${zone}`, type, values, 3600);
    await provider.apply(zone, [change(undefined, ours)]);
    const [live] = await provider.list(zone, [ours]);
    expect(planned(api, ours, live)).toMatchObject({ changes: [], refused: [], pending: [] });
    // What the row would say of a set that does not come back so.
    expect(planned(api, ours, undefined).changes).toHaveLength(1);
    await provider.apply(zone, [change(live, undefined)]);
    expect(await ground().standing(zone, ours.name, type)).toEqual([]);
  });
}
