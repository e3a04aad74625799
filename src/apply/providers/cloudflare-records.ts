/** Cloudflare keeps records, each with an id, and no sets: what turns one into the other. */
import type { RecordBatchParams, RecordResponse } from 'cloudflare/resources/dns/records';
import { toALabel } from '../../dns/names.ts';
import { type RecordSet, type RecordType, canonicalValue, recordTypes } from '../../dns/rrset.ts';
import { parseTxt, quoteTxt } from '../../dns/txt.ts';
import type { RecordChange, SetKey } from './provider.ts';

/** One record, as it stands there. */
export interface Row {
  readonly id: string;
  readonly name: string;
  readonly type: RecordType;
  /** Seconds. */
  readonly ttl: number;
  readonly value: string;
}

type Post = NonNullable<RecordBatchParams['posts']>[number];
type Patch = NonNullable<RecordBatchParams['patches']>[number];

/** What one batch does, in the order in which it is done. */
export interface Operations {
  readonly deletes: readonly { readonly id: string }[];
  readonly patches: readonly Patch[];
  readonly posts: readonly Post[];
}

/** The TTL that says "automatic", and what it comes to where Cloudflare is no proxy. Source: its docs, "Time to Live". */
const automaticTtl = { written: 1, seconds: 300 } as const;

/** Both canonical, or undefined: names with a wildcard, say, are none of ours. */
function nameOf(text: string): string | undefined {
  if (/^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?$/.test(text) && !text.includes('xn--')) return text;
  const result = toALabel(text, { minLabels: 1, underscore: true });
  return result.ok ? result.name : undefined;
}

const isType = (type: string): type is RecordType => (recordTypes as readonly string[]).includes(type);

/**
 * The row of a record; `other` where it is of a kind that Mailseal never writes, undefined where it is no record.
 * A record that Cloudflare is a proxy for is shown as such, and so equals nothing that we want: at the name servers
 * stand Cloudflare's own addresses.
 */
export function rowOf(record: RecordResponse | null): Row | 'other' | undefined {
  // Declared, but the answer is a stranger's.
  const {
    id,
    name,
    type,
    content,
    ttl,
    proxied,
  }: { readonly [K in keyof RecordResponse]?: unknown } & {
    readonly content?: unknown;
    readonly proxied?: unknown;
  } = record ?? {};
  if (typeof id !== 'string' || typeof name !== 'string' || typeof type !== 'string') return undefined;
  if (!isType(type)) return 'other';
  if (!/^[0-9a-z]{1,32}$/i.test(id) || typeof content !== 'string' || typeof ttl !== 'number') return undefined;
  const owner = nameOf(name);
  if (owner === undefined) return 'other';
  const value = valueOf(type, content);
  return {
    id,
    name: owner,
    type,
    ttl: ttl === automaticTtl.written ? automaticTtl.seconds : ttl,
    value: proxied === true ? `${value} (proxied)` : value,
  };
}

function valueOf(type: RecordType, content: string): string {
  if (type === 'TXT') {
    // Old records, and those of the API, may stand without quotes: one string then, whatever is in it.
    const text = content.trimStart().startsWith('"') ? parseTxt(content) : undefined;
    return text?.ok === true ? text.value : content;
  }
  const result = canonicalValue(type, content);
  return result.ok ? result.value : content;
}

/** Of these rows the sets that are sought; an alias instead of all others at its name, as name servers have it. */
export function setsOf(rows: readonly Row[], zone: string, sought: readonly SetKey[]): readonly RecordSet[] {
  const found = new Map<string, RecordSet>();
  for (const [key, group] of Map.groupBy(rows, ({ name, type }) => `${name} ${type}`)) {
    const [first] = group;
    if (first === undefined) continue;
    const { name, type } = first;
    found.set(key, {
      name,
      type,
      ttl: Math.min(...group.map(({ ttl }) => ttl)),
      values: [...new Set(group.map(({ value }) => value))],
    });
  }
  const shown = sought.flatMap(({ name, type }) => {
    const [alias, set] = [found.get(`${name} CNAME`), found.get(`${name} ${type}`)];
    // Cloudflare answers in the alias's place where it stands at the top of a zone, and shows what is beside it.
    return (name === zone ? [alias, set] : [alias ?? set]).filter((one) => one !== undefined);
  });
  return [...new Set(shown)];
}

/** How many operations a change takes at most. */
export const operationsAtMost = ({ before, after }: RecordChange): number =>
  new Set([...(before?.values ?? []), ...(after?.values ?? [])]).size;

/** What makes `after` of the rows that stand: records whose value stays are kept, with all that people wrote on them. */
export function operationsFor({ name, type, after }: RecordChange, rows: readonly Row[]): Operations {
  const wanted = new Set(after?.values);
  const deletes: { readonly id: string }[] = [];
  const patches: Patch[] = [];
  for (const row of rows) {
    if (row.name !== name || row.type !== type) continue;
    if (after === undefined || !wanted.delete(row.value)) deletes.push({ id: row.id });
    else if (row.ttl !== after.ttl) patches.push({ id: row.id, ...postOf({ ...row, ttl: after.ttl }) });
  }
  const posts = after === undefined ? [] : [...wanted].map((value) => postOf({ name, type, ttl: after.ttl, value }));
  return { deletes, patches, posts };
}

function postOf({ name, type, ttl, value }: Omit<Row, 'id'>): Post {
  switch (type) {
    case 'A':
    case 'AAAA':
    case 'CNAME':
      return { name, type, ttl, content: value, proxied: false };
    case 'TXT':
      return { name, type, ttl, content: quoteTxt(value) };
    case 'TLSA': {
      // Refused as `content`.
      const [usage = '', selector = '', matching = '', certificate = ''] = value.split(' ');
      const data = {
        usage: Number(usage),
        selector: Number(selector),
        matching_type: Number(matching),
        certificate,
      };
      return { name, type, ttl, data };
    }
  }
}

/** Packs the operations of changes into as few batches as may be; those of one change stay together. */
export function batchesOf(parts: readonly Operations[], most: number): readonly Operations[] {
  const batches: Operations[] = [];
  let room = 0;
  for (const part of parts) {
    const size = part.deletes.length + part.patches.length + part.posts.length;
    const last = size <= room ? batches.pop() : undefined;
    if (last === undefined) room = most;
    room -= size;
    batches.push({
      deletes: [...(last?.deletes ?? []), ...part.deletes],
      patches: [...(last?.patches ?? []), ...part.patches],
      posts: [...(last?.posts ?? []), ...part.posts],
    });
  }
  return batches.filter(({ deletes, patches, posts }) => deletes.length + patches.length + posts.length > 0);
}
