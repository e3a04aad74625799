/**
 * A zone's records: found, paged, and changed in batches.
 * Source: https://developers.cloudflare.com/api/resources/dns/subresources/records/ ("List DNS Records",
 * "Batch DNS Records"), https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/.
 */
import { randomBytes } from 'node:crypto';
import { type Draft, type StoredRecord, draftOf } from './record.ts';
import { refusal } from './refusal.ts';

export const newId = (): string => randomBytes(16).toString('hex');

export interface ZoneOptions {
  readonly name: string;
  /** The name by which the API finds and shows it, where that is another: some stand under their U-labels. */
  readonly shownAs?: string;
  /** Default 200, as on free plans. */
  readonly operationsPerBatch?: number;
  /** Default 60; 30 on the dearest plan. */
  readonly shortestTtl?: number;
  readonly now: () => number;
}

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly shownAs: string;
  /** In the order of their names. */
  readonly records: () => readonly StoredRecord[];
  readonly at: (name: string) => readonly StoredRecord[];
  /** Makes the record whatever stands beside it. */
  readonly put: (draft: Draft) => StoredRecord;
  readonly remove: (id: string) => void;
  /** All of a `batch` request's body or nothing; throws a Refusal. Returns the `result`. */
  readonly batch: (body: unknown) => unknown;
}

const arrays = ['deletes', 'patches', 'puts', 'posts'] as const;

export function createZone(options: ZoneOptions): Zone {
  const { name, shownAs = name, operationsPerBatch = 200, shortestTtl = 60, now } = options;
  let byName = new Map<string, readonly StoredRecord[]>();
  let nameOfId = new Map<string, string>();

  const all = (): readonly StoredRecord[] => [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, one]) => one);
  const find = (id: unknown): StoredRecord => {
    if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id))
      throw refusal(400, 7003, 'Could not route, perhaps your object identifier is invalid?');
    const found = byName.get(nameOfId.get(id) ?? '')?.find((record) => record.id === id);
    if (found === undefined) throw refusal(404, 81_044, 'Record does not exist.');
    return found;
  };
  const remove = (id: string): void => {
    const { name: owner } = find(id);
    const left = (byName.get(owner) ?? []).filter((record) => record.id !== id);
    if (left.length > 0) byName.set(owner, left);
    else byName.delete(owner);
    nameOfId.delete(id);
  };
  const store = (record: StoredRecord): StoredRecord => {
    byName.set(record.name, [...(byName.get(record.name) ?? []), record]);
    nameOfId.set(record.id, record.name);
    return record;
  };
  const put = (draft: Draft): StoredRecord => {
    const time = new Date(now()).toISOString();
    return store({ ...draft, id: newId(), created_on: time, modified_on: time });
  };
  const fits = (draft: Draft): void => {
    const beside = byName.get(draft.name) ?? [];
    const types = beside.map(({ type }) => type);
    if (beside.some(({ type, content }) => type === draft.type && content === draft.content))
      throw refusal(400, 81_058, 'An identical record already exists.');
    if (draft.type === 'CNAME' && ['A', 'AAAA', 'CNAME'].some((type) => types.includes(type)))
      throw refusal(400, 81_053, 'An A, AAAA, or CNAME record with that host already exists.');
    if (['A', 'AAAA'].includes(draft.type) && types.includes('CNAME'))
      throw refusal(400, 81_054, 'A CNAME record with that host already exists.');
    const length = beside
      .filter(({ type }) => type === draft.type)
      .reduce((sum, { content }) => sum + content.length, draft.content.length);
    if (length > 8192) throw refusal(400, 9209, 'The combined content of records with one name and type is too long.');
  };
  const replace = (id: unknown, change: (before: StoredRecord) => unknown): StoredRecord => {
    const before = find(id);
    const draft = draftOf(change(before), name, shortestTtl);
    remove(before.id);
    fits(draft);
    return store({ ...before, ...draft, modified_on: new Date(now()).toISOString() });
  };

  const perform = (lists: Readonly<Record<(typeof arrays)[number], readonly unknown[]>>): object => {
    const withId = (entry: unknown): [unknown, Readonly<Record<string, unknown>>] => {
      const { id, ...rest } = (entry ?? {}) as Readonly<Record<string, unknown>>;
      return [id, rest];
    };
    const deletes = lists.deletes.map((entry) => {
      const [id, rest] = withId(entry);
      if (Object.keys(rest).length > 0) throw refusal(400, 9207, 'Request body is invalid: a delete has an id only.');
      const gone = find(id);
      remove(gone.id);
      return gone;
    });
    const patches = lists.patches.map((entry) => {
      const [id, rest] = withId(entry);
      return replace(id, (before) => {
        const { proxied, ttl, type, comment, settings, tags } = before;
        const content = before.data === undefined ? { content: before.content } : { data: before.data };
        const kept = { name: before.name, type, ttl, proxied, settings, tags, ...content };
        return { ...kept, ...(comment !== undefined && { comment }), ...rest };
      });
    });
    const puts = lists.puts.map((entry) => {
      const [id, rest] = withId(entry);
      return replace(id, () => rest);
    });
    const posts = lists.posts.map((entry) => {
      const draft = draftOf(entry, name, shortestTtl);
      fits(draft);
      return put(draft);
    });
    return { deletes, patches, puts, posts };
  };

  const batch = (body: unknown): unknown => {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw refusal(400, 9207, 'Request body is invalid.');
    const given = body as Readonly<Record<string, unknown>>;
    const wrong = Object.keys(given).find(
      (key) => !(arrays as readonly string[]).includes(key) || !Array.isArray(given[key]),
    );
    if (wrong !== undefined) throw refusal(400, 9207, `Request body is invalid: "${wrong}".`);
    const list = (key: (typeof arrays)[number]): readonly unknown[] => (given[key] ?? []) as readonly unknown[];
    const lists = { deletes: list('deletes'), patches: list('patches'), puts: list('puts'), posts: list('posts') };
    const count = arrays.reduce((sum, key) => sum + lists[key].length, 0);
    // The limit is documented, the code that says so is not.
    if (count > operationsPerBatch)
      throw refusal(400, 9210, `A batch of this plan holds at most ${operationsPerBatch} records.`);
    const before = [new Map(byName), new Map(nameOfId)] as const;
    try {
      return perform(lists);
    } catch (error) {
      [byName, nameOfId] = before;
      throw error;
    }
  };
  return { id: newId(), name, shownAs, records: all, at: (owner) => byName.get(owner) ?? [], put, remove, batch };
}
