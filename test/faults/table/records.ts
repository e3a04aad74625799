/** What people do by hand to our records, beside them and in their place. */
import { readZone } from '../zone.ts';
import { ask } from '../../lab/dns-ask.ts';
import { places } from '../../lab/lab.ts';
import { waitFor } from '../../lab/process.ts';
import { byHand } from './by-hand.ts';
import { changesSomething } from './dns-meddling.ts';
import type { Fault, Stage } from './fault.ts';
import { asUndisturbed, looked, trial } from './trial.ts';

const digest = 'ab'.repeat(32);

const deleteOurs = byHand(
  'delete _mailseal.D TXT',
  'delete _mailseal.mx.D TXT',
  'delete mta-sts.D A',
  'delete _mta-sts.D TXT',
  'delete _25._tcp.mx.D TLSA',
);

const editOurs = byHand(
  'delete _mta-sts.D TXT',
  'add _mta-sts.D 1 TXT "v=STSv1; id=20200101000000"',
  'delete mta-sts.D A',
  'add mta-sts.D 1 A 192.0.2.1',
  'delete _25._tcp.mx.D TLSA',
  `add _25._tcp.mx.D 1 TLSA 3 1 1 ${digest}`,
);

const addToOurs = byHand(
  'add _mta-sts.D 1 TXT "v=STSv1; id=20200101000000"',
  'add mta-sts.D 1 A 192.0.2.1',
  `add _25._tcp.mx.D 1 TLSA 3 1 1 ${digest}`,
);

async function tlsaRecords({ domain }: Stage): Promise<readonly { readonly ttl: number; readonly value: string }[]> {
  const { answers } = await ask({ server: places.primary.v4, name: `_25._tcp.mx.${domain}`, type: 'TLSA' });
  return answers.flatMap((one) => {
    if (one.type !== 'TLSA') return [];
    const { usage, selector, matchingType, certificate } = one.data;
    return [{ ttl: one.ttl ?? 0, value: `${usage} ${selector} ${matchingType} ${certificate.toString('hex')}` }];
  });
}

/** What a hand put into the TLSA set goes when every host was seen with ours for as long as caches hold the set. */
async function noneByHand(stage: Stage): Promise<readonly string[]> {
  const gone = async (): Promise<boolean> => !(await tlsaRecords(stage)).some(({ value }) => value.endsWith(digest));
  await waitFor('what was added to the TLSA set by hand is gone', gone, { timeoutMs: 60_000 });
  return looked(stage);
}

const highTtl = 86_400;

async function raiseTtl(stage: Stage): Promise<void> {
  const again = (await tlsaRecords(stage)).map(({ value }) => `add _25._tcp.mx.D ${highTtl} TLSA ${value}`);
  await byHand('delete _25._tcp.mx.D TLSA', ...again)(stage);
}

async function ttlSetRight(stage: Stage): Promise<readonly string[]> {
  const right = async (): Promise<boolean> => (await tlsaRecords(stage)).every(({ ttl }) => ttl < highTtl);
  await waitFor('the TTL of the TLSA set is ours again', right, { timeoutMs: 60_000 });
  return looked(stage);
}

/** Strangers' record sets, beside ours and at names that could be ours. */
const strangers = [
  '_smtp._tls.D TXT "v=TLSRPTv1; rua=mailto:tls@example.test"',
  '_acme-challenge.mx.D TXT "of another program"',
  '_mta-sts.D CAA 0 issue "example.test"',
  '_dmarc.D TXT "v=DMARC1; p=none"',
];
const addStrangers = byHand(...strangers.map((line) => `add ${line.replace(' ', ' 7 ')}`));
const removeStrangers = byHand(...strangers.map((line) => `delete ${line}`));

/** Lines of the zone that are wanted and are not there. */
async function missing({ domain }: Stage, wanted: readonly RegExp[]): Promise<readonly string[]> {
  const zone = await readZone(places.primary.v4, domain);
  return wanted
    .filter((one) => !zone.some((line) => one.test(line)))
    .map((one) => `nothing like ${String(one)} stands in the zone`);
}

const strangersStand = async (stage: Stage): Promise<readonly string[]> => {
  await looked(stage);
  return missing(stage, [
    /^_smtp\._tls\.DOMAIN TXT 7/u,
    /^_acme-challenge\.mx\.DOMAIN TXT 7 of/u,
    /^_mta-sts\.DOMAIN CAA 7/u,
  ]);
};

/** Just before our first change at a name arrives, someone else makes one there. */
function overtaken(label: string, byHandFirst: (stage: Stage) => Promise<void>): (stage: Stage) => void {
  return (stage) => {
    let done = false;
    stage.lane.ways.updates.meddle(async ({ bytes }, pass) => {
      if (!done && changesSomething(bytes) && bytes.includes(label)) {
        done = true;
        await byHandFirst(stage);
      }
      return pass();
    });
  };
}

export const recordFaults: readonly Fault[] = [
  trial({
    name: 'records-deleted',
    excuses: { I4: 'the announcement and the address go by a human hand' },
    fault: 'a human deletes all our records at once, or a zone comes back without them',
    holds: `they are made again, under the same policy id; ${asUndisturbed}`,
    when: 'ready',
    lasting: true,
    troubles: [{ make: deleteOurs }],
  }),
  trial({
    name: 'records-edited',
    excuses: {
      I1: 'the records that match are taken away by hand',
      I2: 'another id is announced by hand, and the real one comes again',
    },
    // Our update names what it replaces.
    tolerates: /the id 20200101000000 was announced/u,
    fault: 'a human edits our records, adds values to them, raises the TTL of our TLSA set',
    holds: `they are set right; ${asUndisturbed}`,
    quick: true,
    when: 'ready',
    lasting: true,
    troubles: [
      { make: editOurs, meanwhile: noneByHand },
      { make: addToOurs, meanwhile: noneByHand },
      { make: raiseTtl, meanwhile: ttlSetRight },
    ],
  }),
  trial({
    name: 'records-of-others',
    fault: 'our marks are lost; strangers set records beside ours, and at names that we do not use',
    holds: `no record of theirs is touched, and the marks are made again; ${asUndisturbed}`,
    when: 'ready',
    lasting: true,
    troubles: [
      {
        make: async (stage) => {
          await addStrangers(stage);
          await byHand('delete _mailseal.D TXT', 'delete _mailseal.mx.D TXT')(stage);
        },
        meanwhile: strangersStand,
        end: removeStrangers,
      },
    ],
  }),
  trial({
    name: 'records-foreign',
    excuses: {
      I1: "a stranger's TLSA set names a key that nobody has",
      I2: "a stranger's record announces what nobody serves",
    },
    fault: 'foreign records stand at our names before we come: TXT, CNAME, TLSA',
    holds: `they are named and not touched; once they are gone, ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: byHand('add _mta-sts.D 1 TXT "v=STSv1; id=1"'),
        says: [
          { type: 'RecordsPublished', reason: 'ForeignRecord', words: /_mta-sts\..* already stands and is not ours/u },
        ],
        meanwhile: (stage) => missing(stage, [/^_mta-sts\.DOMAIN TXT 1 v=STSv1; id=/u]),
        end: byHand('delete _mta-sts.D TXT'),
      },
      {
        make: byHand(`add _25._tcp.mx.D 1 TLSA 3 1 1 ${digest}`),
        says: [{ kind: 'MailExchanger', type: 'Deployed', reason: 'TLSAMismatch', words: /TLSA/u }],
        meanwhile: (stage) => missing(stage, [/^_25\._tcp\.mx\.DOMAIN TLSA 1/u]),
        end: byHand('delete _25._tcp.mx.D TLSA'),
      },
    ],
  }),
  trial({
    name: 'records-overtaken',
    fault: 'a stranger sets a record at a name of ours a moment before our update',
    holds: `ours is not written over it, and it is named; once it is gone, ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: overtaken('_mta-sts', byHand('add _mta-sts.D 1 TXT "v=STSv1; id=1"')),
        says: [
          { type: 'RecordsPublished', reason: 'ForeignRecord', words: /_mta-sts\..* already stands and is not ours/u },
        ],
        end: byHand('delete _mta-sts.D TXT'),
      },
    ],
  }),
];
