/**
 * The stand-in against Cloudflare's own description of its API, as its SDK carries it in types: what went over the wire
 * is written down as TypeScript and checked by the compiler. What types can't say, bounds and forms, is checked here.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProvider } from '../../../src/apply/providers/index.ts';
import type { RecordChange } from '../../../src/apply/providers/provider.ts';
import type { RecordSet, RecordType } from '../../../src/dns/rrset.ts';
import { parts } from '../../apply/providers/parts.ts';
import { type CloudflareStandIn, type Exchange, startCloudflare } from './server.ts';

const zone = 'example.test';
const modules = join(import.meta.dirname, '..', '..', '..', 'node_modules');
const run = promisify(execFile);

const set = (name: string, type: RecordType, values: readonly string[], ttl: number): RecordSet => ({
  name: `${name}.${zone}`,
  type,
  ttl,
  values,
});
const rounds: readonly (readonly [RecordSet, RecordSet])[] = [
  [set('a', 'A', ['192.0.2.1', '192.0.2.2'], 60), set('a', 'A', ['192.0.2.1', '192.0.2.3'], 300)],
  [set('a', 'AAAA', ['2001:db8::1'], 300), set('a', 'AAAA', ['2001:db8::2'], 300)],
  [set('c', 'CNAME', ['x.example.net'], 300), set('c', 'CNAME', ['x.example.net'], 600)],
  [set('t', 'TXT', ['a "text"'.repeat(60)], 300), set('t', 'TXT', ['b'], 86_400)],
  [
    set('_25._tcp.a', 'TLSA', [`3 1 1 ${'ab'.repeat(32)}`], 300),
    set('_25._tcp.a', 'TLSA', [`3 1 1 ${'ab'.repeat(32)}`], 900),
  ],
];

/** What the provider and the stand-in say to each other while sets of all types are made, changed, listed, removed. */
async function overheard(server: CloudflareStandIn): Promise<readonly Exchange[]> {
  server.addZone(zone);
  const cloudflare = { endpoint: server.endpoint, plainHttp: true };
  const provider = await createProvider({ zones: [zone], cloudflare }, { 'api-token': server.token }, parts());
  const apply = (
    change: (first: RecordSet, second: RecordSet) => Pick<RecordChange, 'before' | 'after'>,
  ): Promise<void> =>
    provider.apply(
      zone,
      rounds.map(([first, second]) => ({ name: first.name, type: first.type, ...change(first, second) })),
    );
  await apply((first) => ({ before: undefined, after: first }));
  await apply((first, second) => ({ before: first, after: second }));
  const names = Array.from({ length: 20 }, (_, at) => ({ name: `n${at}.${zone}`, type: 'TXT' }) as const);
  await provider.list(zone, [...names, ...rounds.map(([, second]) => second)]);
  await apply((_, second) => ({ before: second, after: undefined }));
  return server.exchanges;
}

/** `name.exact=x&page=1` as the SDK is given it. */
const asParameters = (query: Exchange['query']): string => {
  const { 'name.exact': exact, page, per_page: perPage, ...rest } = query;
  return JSON.stringify({
    ...rest,
    ...(exact !== undefined && { name: { exact } }),
    ...(page !== undefined && { page: Number(page) }),
    ...(perPage !== undefined && { per_page: Number(perPage) }),
  });
};

/** An exchange as constants that hold only if they are what the SDK's types say. */
function asTypeScript({ path, query, body, answer }: Exchange, at: number): string {
  const { result } = answer as { readonly result: unknown };
  const said = JSON.stringify(result);
  if (path.endsWith('/zones')) {
    return `export const q${at}: ZoneListParams = ${asParameters(query)};\nexport const r${at}: Zone[] = ${said};`;
  }
  if (path.endsWith('/dns_records')) {
    const asked = `export const q${at}: Omit<RecordListParams, 'zone_id'> = ${asParameters(query)};`;
    return `${asked}\nexport const r${at}: RecordResponse[] = ${said};`;
  }
  const asked = `export const q${at}: Omit<RecordBatchParams, 'zone_id'> = ${JSON.stringify(body)};`;
  return `${asked}\nexport const r${at}: RecordBatchResponse = ${said};`;
}

/** The compiler's complaints about these lines; empty where there are none. */
async function complaintsAbout(lines: readonly string[]): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-cloudflare-'));
  const sdk = join(modules, 'cloudflare', 'resources');
  const imports = [
    `import type { RecordBatchParams, RecordBatchResponse, RecordListParams, RecordResponse } from '${sdk}/dns/records.mjs';`,
    `import type { Zone, ZoneListParams } from '${sdk}/zones/zones.mjs';`,
  ];
  const compilerOptions = {
    module: 'nodenext',
    target: 'esnext',
    lib: ['esnext', 'dom'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  };
  try {
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['overheard.mts'] }));
    writeFileSync(join(dir, 'overheard.mts'), [...imports, ...lines].join('\n'));
    await run(process.execPath, [join(modules, 'typescript', 'bin', 'tsc'), '-p', dir]);
    return '';
  } catch (error) {
    return (error as { readonly stdout?: string }).stdout ?? String(error);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

describe('what provider and stand-in say to each other', () => {
  let server: CloudflareStandIn;
  let all: readonly Exchange[];
  beforeAll(async () => {
    server = await startCloudflare();
    all = await overheard(server);
  });
  afterAll(() => server.stop());

  test('is what the SDK describes, field by field', async () => {
    expect(all.filter(({ path }) => path.endsWith('/batch'))).toHaveLength(3);
    expect(await complaintsAbout(all.map(asTypeScript))).toBe('');
  });

  test('would be found out if it were not', async () => {
    const lie = "export const q: Omit<RecordBatchParams, 'zone_id'> = { deletes: [{ ident: 'x' }] };";
    expect(await complaintsAbout([lie])).toMatch(/ident/);
    const half = "export const r: RecordResponse[] = [{ id: 'x', name: 'x', type: 'TXT', ttl: 1 }];";
    expect(await complaintsAbout([half])).toMatch(/created_on|modified_on|meta|proxiable/);
  });

  test('keeps to the bounds of the description', () => {
    const records = all.flatMap(({ path, answer }) => {
      const { result } = answer as { readonly result: object };
      return path.endsWith('/zones') ? [] : Object.values(result).flat();
    }) as readonly Readonly<Record<string, unknown>>[];
    expect(records.length).toBeGreaterThan(10);
    for (const record of records) {
      expect(record).toMatchObject({
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        name: expect.stringMatching(/^.{1,255}$/),
        created_on: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        ttl: expect.toSatisfy((ttl: number) => ttl === 1 || (ttl >= 60 && ttl <= 86_400)),
      });
    }
    for (const { answer, path } of all) {
      expect(answer).toMatchObject({ success: true, errors: [], messages: [] });
      if (path.endsWith('/batch')) continue;
      const count = expect.any(Number);
      const info = { page: count, per_page: count, count, total_count: count, total_pages: count };
      expect(answer).toMatchObject({ result_info: info });
    }
  });
});
