import { describe, expect, test } from 'vitest';
import { deliveryOf, queueIdOf, readOutcomes, receivedMessages } from './postfix-log.ts';

const verified = 'Verified TLS connection established to';
const untrusted = 'Untrusted TLS connection established to';
const cipher = 'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)';
const [mx1, mx2] = ['mx1.example.test[10.53.0.10]:25', 'mx2.example.test[10.53.0.11]:25'];

const says = (pid: number, text: string): string => `Nov 22 07:57:15 sender postfix/smtp[${pid}]: ${text}`;
const tls = (pid: number, level: string, relay: string): string => says(pid, `${level} ${relay}: ${cipher}`);
const ends = (pid: number, queueId: string, relay: string, status: string): string =>
  says(
    pid,
    `${queueId}: to=<b@example.test>, relay=${relay}, delay=0.02, dsn=2.0.0, status=${status} (250 2.0.0 Ok (x))`,
  );

describe('a delivery is verified only by its own channel', () => {
  test.each([
    ['a verified channel to the host that took it', [tls(1, verified, mx1), ends(1, 'A1', mx1, 'sent')], true],
    ['an untrusted channel', [tls(1, untrusted, mx1), ends(1, 'A1', mx1, 'sent')], false],
    ['no channel', [ends(1, 'A1', mx1, 'sent')], false],
    ['a verified channel of another client', [tls(2, verified, mx1), ends(1, 'A1', mx1, 'sent')], false],
    [
      'a verified channel of an earlier delivery by the same client',
      [tls(1, verified, mx1), ends(1, 'B2', mx1, 'sent'), ends(1, 'A1', mx1, 'sent')],
      false,
    ],
    [
      'a verified channel to a host that refused, then none to the one that took it',
      [tls(1, verified, mx1), ends(1, 'A1', mx2, 'sent')],
      false,
    ],
    [
      'a verified channel that broke, then an untrusted one to the same host',
      [tls(1, verified, mx1), tls(1, untrusted, mx1), ends(1, 'A1', mx1, 'sent')],
      false,
    ],
    ['a verified channel after the outcome', [ends(1, 'A1', mx1, 'sent'), tls(1, verified, mx1)], false],
    [
      'a host that puts the words into its reply',
      [says(1, `A1: to=<b@example.test>, relay=${mx1}, delay=0, status=sent (250 ]: ${verified} ${mx1}: ${cipher})`)],
      false,
    ],
    [
      'a host that tells of another relay and outcome in its reply',
      [
        tls(1, verified, mx2),
        says(1, `A1: to=<b@example.test>, relay=${mx1}, status=sent (250 relay=${mx2}, status=sent (x))`),
      ],
      false,
    ],
    [
      'a sender that puts the words into the text',
      [says(1, `x ${verified} ${mx1}: `), ends(1, 'A1', mx1, 'sent')],
      false,
    ],
  ])('%s', (_, lines, expected) => {
    expect(deliveryOf(lines, 'A1')).toMatchObject({ status: 'sent', verified: expected });
    const told = lines.map(readOutcomes()).find((outcome) => outcome?.queueId === 'A1');
    expect(told).toMatchObject({ status: 'sent', verified: expected });
  });
});

test('a delivery carries the lines of its client, its relay and its reason', () => {
  const lines = [
    tls(2, verified, mx2),
    tls(1, verified, mx1),
    ends(2, 'B2', mx2, 'sent'),
    ends(1, 'A1', mx1, 'deferred'),
  ];
  expect(deliveryOf(lines, 'A1')).toEqual({
    queueId: 'A1',
    verified: true,
    status: 'deferred',
    relay: mx1,
    reason: '250 2.0.0 Ok (x)',
    log: [lines[1], lines[3]],
  });
});

test('the first outcome counts, whatever a later attempt says', () => {
  const lines = [ends(1, 'A1', 'none', 'deferred'), tls(2, verified, mx1), ends(2, 'A1', mx1, 'sent')];
  expect(deliveryOf(lines, 'A1')).toMatchObject({ status: 'deferred', verified: false, relay: 'none' });
});

test('of a log that grows every outcome is told, each with its own channel', () => {
  const lines = [ends(1, 'A1', 'none', 'deferred'), tls(2, verified, mx1), tls(1, untrusted, mx2)];
  const after = [ends(1, 'B2', mx2, 'deferred'), ends(2, 'A1', mx1, 'sent')];
  expect([...lines, ...after].map(readOutcomes()).filter((one) => one !== undefined)).toMatchObject([
    { queueId: 'A1', status: 'deferred', verified: false },
    { queueId: 'B2', status: 'deferred', verified: false, relay: mx2 },
    { queueId: 'A1', status: 'sent', verified: true, relay: mx1 },
  ]);
});

test('there is no outcome before there is one, and none of another message', () => {
  expect(deliveryOf([], 'A1')).toBeUndefined();
  expect(deliveryOf([ends(1, 'A11', mx1, 'sent')], 'A1')).toBeUndefined();
});

test('a status that is none of a delivery is an error', () => {
  expect(() => deliveryOf([ends(1, 'A1', mx1, 'expired')], 'A1')).toThrow('status=expired');
});

test('a message is found by its id, whole', () => {
  const lines = ['Nov 22 07:57:15 sender postfix/cleanup[9]: A1: message-id=<one@lab>'];
  expect(queueIdOf(lines, 'one@lab')).toBe('A1');
  expect(queueIdOf(lines, 'ne@lab')).toBeUndefined();
});

test('received is what was thrown away, nothing else', () => {
  const discarded = 'Nov 22 07:57:15 mx1 postfix/discard[9]: C3: to=<b@example.test>, relay=none, status=sent (x)';
  expect(receivedMessages([ends(1, 'A1', mx1, 'sent'), discarded])).toEqual([{ queueId: 'C3', to: 'b@example.test' }]);
});
