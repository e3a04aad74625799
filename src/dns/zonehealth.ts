/**
 * Whether the chain of trust of a zone that validates stands still, at each server: from the answers of its servers and
 * of those above it. Nothing here is checked by cryptography, so that it can hold a step back and never opens a gate.
 */
import type { Signature } from './answer.ts';
import { algorithmName, distinct, type KeyId, keyText, readDs, readKeys, sameKey, type ZoneKey } from './dnssec.ts';
import { endingSignatures } from './signatures.ts';

/** What one server shows at the apex of the zone. Values as Answer has them. */
export interface ApexView {
  /** Server and address, as messages name it. */
  readonly place: string;
  readonly serial: number | undefined;
  /** DNSKEY; undefined where it gave no answer. */
  readonly keys: readonly string[] | undefined;
  readonly keySignatures: readonly Signature[];
  /** Undefined where it gave no answer. */
  readonly soaSignatures: readonly Signature[] | undefined;
  /** CDS and CDNSKEY: what the zone asks its parent for. */
  readonly cds: readonly string[];
  readonly cdnskey: readonly string[];
}

/** The DS set as someone above the zone has it, or a resolver that remembers it. */
export interface DsView {
  readonly place: string;
  readonly ds: readonly string[];
}

/**
 * `InMotion`: it validates, and is being changed, or does not hold at every server. `urgent`: someone must act, since
 * validating senders may find it bogus now or soon. `Unknown`: no server could be asked.
 */
export type ZoneHealth =
  | { readonly verdict: 'Well' }
  | { readonly verdict: 'Unknown'; readonly detail: string }
  | {
      readonly verdict: 'InMotion';
      readonly reason: 'DNSSECInMotion' | 'SignatureExpiring';
      readonly urgent: boolean;
      /** What moves and where, as the parts of a sentence. */
      readonly detail: string;
    };

/** One thing that is seen at a server, in words without the server. */
interface Seen {
  readonly urgent: boolean;
  readonly text: string;
}

interface Finding extends Seen {
  readonly reason: 'DNSSECInMotion' | 'SignatureExpiring';
}

interface Heard extends ApexView {
  readonly zoneKeys: readonly ZoneKey[];
}

/** More is no help to whoever reads it, and servers may say what they like. */
const mostNamed = 4;

/** @param now milliseconds since 1970. */
export function judgeZone(
  { servers, parent }: { readonly servers: readonly ApexView[]; readonly parent: readonly DsView[] },
  now: number,
): ZoneHealth {
  const heard = servers.flatMap((view): readonly Heard[] =>
    view.keys === undefined ? [] : [{ ...view, zoneKeys: readKeys(view.keys) }],
  );
  if (heard.length === 0) return { verdict: 'Unknown', detail: 'no server of the zone could be asked for its keys' };
  const ds = distinct(parent.flatMap((view) => readDs(view.ds)));
  const moving = [
    ...atServers(heard, (view) => brokenAt(view, parent)),
    ...differing(
      'DNSKEY',
      heard.map(({ place, zoneKeys }) => ({ place, keys: zoneKeys })),
    ),
    ...differing(
      'DS',
      parent.map((view) => ({ place: view.place, keys: readDs(view.ds) })),
    ),
    ...(ds.length === 0 ? [] : atServers(heard, (view) => movingAt(view, ds))),
  ].map((seen): Finding => ({ ...seen, reason: 'DNSSECInMotion' }));
  const ending = endingSignatures(heard, now).map((seen): Finding => ({ ...seen, reason: 'SignatureExpiring' }));
  const all = [...ending, ...moving];
  const [first] = [...all.filter(({ urgent }) => urgent), ...all];
  if (first === undefined) return { verdict: 'Well' };
  const others = all.filter((one) => one !== first);
  const detail = few(
    [first, ...others].map(({ text }) => text),
    '; ',
  );
  return { verdict: 'InMotion', reason: first.reason, urgent: first.urgent, detail };
}

function few(texts: readonly string[], between: string): string {
  const more = texts.length > mostNamed ? ` and ${texts.length - mostNamed} more` : '';
  return `${texts.slice(0, mostNamed).join(between)}${more}`;
}

const keyList = (keys: readonly KeyId[]): string => (keys.length === 0 ? 'none' : few(keys.map(keyText), ', '));

/** The same thing at several servers is said once. */
function atServers(heard: readonly Heard[], look: (view: Heard) => readonly Seen[]): readonly Seen[] {
  const all = heard.flatMap((view) => look(view).map((seen) => ({ ...seen, place: view.place })));
  return [...Map.groupBy(all, ({ text }) => text).values()].map((group) => {
    const places = [...new Set(group.map(({ place }) => place))];
    const where = places.length === heard.length ? '' : ` at ${few(places, ', ')}`;
    return { urgent: group.some(({ urgent }) => urgent), text: `${group[0]?.text}${where}` };
  });
}

const namesOf = (keys: readonly KeyId[]): string => keys.map(keyText).sort().join();

/** Sets that should be one: of each that is not as the first, who shows it. */
function differing(
  type: 'DNSKEY' | 'DS',
  sets: readonly { readonly place: string; readonly keys: readonly KeyId[] }[],
): readonly Seen[] {
  const groups = [...Map.groupBy(sets, ({ keys }) => namesOf(keys)).values()];
  if (groups.length < 2) return [];
  const texts = groups.map(
    (group) =>
      `${few(
        group.map(({ place }) => place),
        ', ',
      )} ${group.length === 1 ? 'shows' : 'show'} ${keyList(group[0]?.keys ?? [])}`,
  );
  return [{ urgent: false, text: `${type} sets differ: ${few(texts, ', ')}` }];
}

const signs = ({ keySignatures }: ApexView, key: KeyId): boolean =>
  keySignatures.some(({ keyTag, algorithm }) => sameKey({ tag: keyTag, algorithm }, key));

const isEntrance = (view: Heard, ds: KeyId): boolean =>
  view.zoneKeys.some((key) => !key.revoked && sameKey(key, ds)) && signs(view, ds);

/** RFC 4035 §5.2: a DS set by which no way leads into the zone as this server has it. */
function brokenAt(view: Heard, parent: readonly DsView[]): readonly Seen[] {
  return parent.flatMap(({ place, ds: values }) => {
    const ds = readDs(values);
    if (ds.length === 0 || ds.some((one) => isEntrance(view, one))) return [];
    return [{ urgent: true, text: `no key that signs the DNSKEY set is named by the DS of ${place}: ${keyList(ds)}` }];
  });
}

function movingAt(view: Heard, ds: readonly KeyId[]): readonly Seen[] {
  const keys = view.zoneKeys.filter(({ revoked }) => !revoked);
  const working = ds.filter((one) => isEntrance(view, one));
  const holds = working.length > 0;
  // One that stands by for a key to come, beside a way in of the same algorithm, may do so for years.
  const missing = ds.filter((one) => !working.some(({ algorithm }) => algorithm === one.algorithm));
  // RFC 6781 §4.1.2: a key that signs beside the one that the parent names waits for its DS, or to be taken out.
  const unnamed = keys.filter((key) => key.entry && signs(view, key) && !ds.some((one) => sameKey(one, key)));
  const entrances = new Set(ds.map(({ algorithm }) => algorithm));
  const keyed = new Set(keys.map(({ algorithm }) => algorithm));
  const signing = view.soaSignatures && new Set(view.soaSignatures.map(({ algorithm }) => algorithm));
  const texts = [
    ...(holds ? missing.map((one) => `DS ${keyText(one)} names no key that signs`) : []),
    ...unnamed.map((key) => `key ${keyText(key)} signs and has no DS`),
    // RFC 6781 §4.1.4, RFC 6840 §5.11: signatures come first, then keys, then the DS, and they go in the other order.
    ...[...keyed].filter((one) => !entrances.has(one)).map((one) => `${algorithmName(one)} has keys and no DS`),
    ...[...keyed]
      .filter((one) => signing?.has(one) === false)
      .map((one) => `${algorithmName(one)} has keys and does not sign`),
    ...[...(signing ?? [])].filter((one) => !keyed.has(one)).map((one) => `${algorithmName(one)} signs and has no key`),
    ...announcedAt(view, ds),
  ];
  return texts.map((text) => ({ urgent: false, text }));
}

/** RFC 7344 §4: what the zone asks its parent for, where the parent has something else. */
function announcedAt({ cds, cdnskey }: ApexView, ds: readonly KeyId[]): readonly string[] {
  const wishes = [
    { type: 'CDS', empty: cds.length === 0, keys: readDs(cds) },
    { type: 'CDNSKEY', empty: cdnskey.length === 0, keys: distinct(readKeys(cdnskey)) },
  ];
  return wishes.flatMap(({ type, empty, keys }) => {
    if (empty || namesOf(keys) === namesOf(ds)) return [];
    // RFC 8078 §4: algorithm 0 asks for the removal of all DS records.
    const leaves = keys.every(({ algorithm }) => algorithm === 0);
    return [`${type} asks the parent for ${leaves ? 'no DS at all' : keyList(keys)} where it has ${keyList(ds)}`];
  });
}
