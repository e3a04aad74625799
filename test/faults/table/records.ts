/** What people do to the zone by hand, and what else befalls its content. */
import { readZone } from '../zone.ts';
import { ask } from '../../lab/dns-ask.ts';
import { places } from '../../lab/lab.ts';
import { waitFor } from '../../lab/process.ts';
import { mxAddress } from '../ways.ts';
import { changesSomething, refusing, servFail, signed } from './dns-meddling.ts';
import { byOthers, type Fault, type Stage } from './fault.ts';
import { looked, type Saying, trial } from './trial.ts';

const asUndisturbed = 'Ready, with the zone, the keys and the orders of an undisturbed run';

/** Lines of nsupdate by the zone's administrator; `D` stands for the domain, and `Z` for the lane's zone. */
export const byHand =
  (...lines: readonly string[]) =>
  async (stage: Stage): Promise<void> => {
    const { ground, domain } = stage;
    const zone = domain.slice(domain.indexOf('.') + 1);
    const named = lines.map((line) => `update ${line.replaceAll(/\bD\b/gu, domain)}`);
    await byOthers(stage, () => ground.dns.bind.dynamicUpdate([`zone ${zone}`, ...named].join('\n')));
  };

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

/** The policy that was announced goes on. */
async function samePolicy(stage: Stage): Promise<readonly string[]> {
  const ids = stage.testimony.ids();
  return ids.length === 1 ? [] : [`policies were announced in turn: ${ids.join(', ')}`];
}

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

const mx = (reason: Saying['reason'], words: RegExp): readonly Saying[] => [{ type: 'MXResolved', reason, words }];

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
  trial({
    name: 'records-wildcard',
    fault: 'the MX host exists only by a wildcard',
    holds: `nothing is written below it, and it is said; once it has a record of its own, ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: async (stage) => {
          const address = mxAddress(stage.lane.index);
          await byHand('delete mx.D A', 'delete smtp.D A', `add *.D 1 A ${address}`)(stage);
        },
        says: [
          {
            kind: 'MailExchanger',
            reason: 'WildcardSynthesised',
            words: /hangs on a name that only a wildcard provides/u,
          },
        ],
        meanwhile: async ({ domain }) =>
          (await readZone(places.primary.v4, domain))
            .filter((line) => line.includes('.mx.DOMAIN'))
            .map((line) => `${line} was written`),
        end: async (stage) => {
          const address = mxAddress(stage.lane.index);
          await byHand('delete *.D A', `add mx.D 1 A ${address}`, `add smtp.D 1 A ${address}`)(stage);
        },
      },
    ],
  }),
  trial({
    name: 'records-zone-gone',
    fault: 'the whole zone vanishes from its servers, and returns',
    holds: `it is said, and nothing is withdrawn; afterwards ${asUndisturbed}`,
    when: 'ready',
    troubles: [
      {
        make: (stage) => {
          const { nameServers, updates, resolver } = stage.lane.ways;
          for (const one of nameServers) one.meddle(refusing);
          updates.meddle(({ bytes }) => Promise.resolve(signed(stage, bytes, 'REFUSED')));
          resolver.meddle(servFail(stage.domain));
        },
        says: [
          { reason: 'ZoneNotFound', words: /gives no answer of its own/u },
          { kind: 'MailExchanger', reason: 'ZoneNotFound', words: /gives no answer of its own/u },
        ],
        meanwhile: samePolicy,
      },
    ],
  }),
  trial({
    name: 'records-mx',
    fault: 'the MX set is removed, becomes null, names a stranger, names another host alone',
    holds: `each is said, and no live answer gets into the policy, which goes on; afterwards ${asUndisturbed}`,
    when: 'ready',
    troubles: [
      { make: byHand('delete D MX'), says: mx('ImplicitMX', /no MX record/u), meanwhile: samePolicy },
      { make: byHand('add D 1 MX 0 .'), says: mx('NullMX', /takes no mail/u), meanwhile: samePolicy },
      {
        make: byHand('delete D MX', 'add D 1 MX 10 mx.D.', 'add D 1 MX 20 mx.stranger.test.'),
        says: mx('UnlistedMX', /mx\.stranger\.test/u),
        meanwhile: samePolicy,
      },
      {
        make: byHand('delete D MX', 'add D 1 MX 10 mx.stranger.test.'),
        says: mx('UnlistedMX', /mx\.stranger\.test/u),
        meanwhile: samePolicy,
      },
      // Nothing tells of an MX set that is right again but the next look of an object at rest.
      { make: byHand('delete D MX', 'add D 1 MX 10 mx.D.') },
    ],
  }),
];
