import { expect, test } from 'vitest';
import { createTally } from './tally.ts';

const mx = 'mx1.live.test[10.53.0.25]:25';
const says = (text: string): string => `Nov 30 03:00:00 sender postfix/smtp[7]: ${text}`;
const channel = (level: string): string => says(`${level} TLS connection established to ${mx}: TLSv1.3 with cipher x`);
const ends = (queueId: string, status: string, reason = '250 Ok'): string =>
  says(`${queueId}: to=<a@one.live.test>, relay=${mx}, delay=0.1, dsn=2.0.0, status=${status} (${reason})`);

test('a message that was put off and sent later counts for the act in which it was handed over, as both', () => {
  const tally = createTally();
  tally.taken('A1', 'first');
  for (const line of [channel('Untrusted'), ends('A1', 'deferred', 'Server certificate not trusted')]) tally.line(line);
  expect(tally.unsent()).toBe(1);
  tally.taken('B2', 'second');
  for (const line of [channel('Verified'), ends('B2', 'sent'), channel('Verified'), ends('A1', 'sent')])
    tally.line(line);
  expect(tally.count('first')).toEqual({ messages: 1, sent: 1, verified: 1, deferred: 1 });
  expect(tally.count('second')).toEqual({ messages: 1, sent: 1, verified: 1, deferred: 0 });
  expect(tally.reasons('first')).toEqual([`${mx}: Server certificate not trusted`]);
  expect(tally.unsent()).toBe(0);
});

test('a message sent over a channel that was not verified, or none, is sent and not verified', () => {
  const tally = createTally();
  for (const id of ['A1', 'B2']) tally.taken(id, 'one');
  for (const line of [channel('Untrusted'), ends('A1', 'sent'), ends('B2', 'sent')]) tally.line(line);
  expect(tally.count()).toEqual({ messages: 2, sent: 2, verified: 0, deferred: 0 });
});

test('an outcome that is read before the message is known to be taken is not lost', () => {
  const tally = createTally();
  for (const line of [channel('Verified'), ends('A1', 'sent')]) tally.line(line);
  expect(tally.count()).toEqual({ messages: 0, sent: 0, verified: 0, deferred: 0 });
  tally.taken('A1', 'late');
  expect(tally.count('late')).toEqual({ messages: 1, sent: 1, verified: 1, deferred: 0 });
});
