import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpuMs } from '../dns/cost.ts';
import { formatPolicy, parsePolicy } from '../../src/mtasts/policy.ts';

/** RFC 8461 §3.2 and appendix A.1: the published example. */
const example =
  'version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n';

describe('properties', () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,10}$/);
  const mx = fc
    .tuple(fc.boolean(), fc.array(label, { minLength: 2, maxLength: 4 }))
    .map(([star, labels]) => `${star ? '*.' : ''}${labels.join('.')}`);
  const policy = fc.record({
    mode: fc.constantFrom('enforce' as const, 'testing' as const, 'none' as const),
    maxAgeSeconds: fc.integer({ min: 0, max: 31_557_600 }),
    mxs: fc.uniqueArray(mx, { minLength: 1, maxLength: 20 }),
  });

  test('what is formatted is read back as it was', () => {
    fc.assert(
      fc.property(policy, (one) => {
        expect(parsePolicy(formatPolicy(one))).toMatchObject({ ok: true, value: one });
      }),
    );
  });

  test('no text makes the parser throw, and ok means no error', () => {
    const piece = fc.constantFrom(
      'version',
      'mode',
      'mx',
      'max_age',
      ':',
      ' ',
      '\n',
      '\r',
      'STSv1',
      'none',
      '0',
      '*.',
      'a.b',
      '\0',
      'ü',
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: piece })), (text) => {
        const result = parsePolicy(text);
        expect(result.ok).toBe(
          result.problems.every((problem) => problem.level === 'warning') && result.value !== undefined,
        );
      }),
    );
  });

  test('what a changed byte lets through is a policy that formats and reads the same', () => {
    const at = fc.nat({ max: example.length - 1 });
    fc.assert(
      fc.property(at, fc.string({ minLength: 1, maxLength: 1, unit: 'binary-ascii' }), (index, char) => {
        const result = parsePolicy(example.slice(0, index) + char + example.slice(index + 1));
        if (result.ok) expect(parsePolicy(formatPolicy(result.value)).value).toEqual(result.value);
      }),
    );
  });

  test.each([
    ['blanks', ' '.repeat(65_000)],
    ['a key that never ends', 'a'.repeat(65_000)],
    ['a value of blanks', `mx:${' \t'.repeat(32_000)}x`],
    ['colons', ':'.repeat(65_000)],
    ['lines', 'mx: a.b\n'.repeat(8000)],
    ['labels', `mx: ${'a.'.repeat(32_000)}`],
  ])('a hostile text of %s takes little time', (_, text) => {
    expect(cpuMs(() => void parsePolicy(text))).toBeLessThan(1500);
  });
});
