/** What goes wrong between the operator and those who keep, serve and look up its records. */
import { places } from '../../lab/lab.ts';
import { type DnsMeddling, type DnsRelay, startDnsRelay } from '../dns-relay.ts';
import { grant } from '../objects.ts';
import {
  astray,
  behind,
  changesSomething,
  firstAnswerLost,
  lame,
  lying,
  type Rcode,
  refusedSignature,
  refusing,
  signed,
  silent,
  truncated,
  unchecked,
} from './dns-meddling.ts';
import { byOthers, type Fault, type Stage } from './fault.ts';
import { asUndisturbed, type Saying, trial } from './trial.ts';

const updates = (meddling: (stage: Stage) => DnsMeddling) => (stage: Stage) =>
  stage.lane.ways.updates.meddle(meddling(stage));

const updatesAnswered = (rcode: Rcode): ((stage: Stage) => void) =>
  updates(
    (stage) =>
      async ({ bytes }, pass) =>
        changesSomething(bytes) ? signed(stage, bytes, rcode) : pass(),
  );

const second =
  (meddling: (stage: Stage) => DnsMeddling) =>
  (stage: Stage): void =>
    stage.lane.ways.nameServers[1]?.meddle(meddling(stage));

const unshown = (reason: Saying['reason'], words: RegExp): Saying => ({ type: 'RecordsPublished', reason, words });

const resolver = (meddling: DnsMeddling) => (stage: Stage) => stage.lane.ways.resolver.meddle(meddling);

const wrongKey = async (stage: Stage): Promise<void> => {
  const { bind } = stage.ground.dns;
  const tsig = { ...bind.tsig, secret: Buffer.alloc(32, 1).toString('base64') };
  const ground = { ...stage.ground, dns: { ...stage.ground.dns, bind: { ...bind, tsig } } };
  await byOthers(stage, () => grant(ground, stage.lane, stage.domain));
};

const insides = new WeakMap<Stage, DnsRelay>();

/** The operator has an inside resolver, too, which shows the world as it was before us. */
async function otherInside(stage: Stage): Promise<void> {
  const upstream = { address: places.inside, port: 53 };
  const inside = await startDnsRelay({ address: '127.0.0.1', port: 0, upstream });
  stage.atEnd(inside.stop);
  inside.meddle(behind(stage));
  insides.set(stage, inside);
  stage.dress({ flags: ['--inside-resolver', `udp://127.0.0.1:${inside.port}`] });
}

const zoneOf = (domain: string): string => domain.slice(domain.indexOf('.') + 1);

async function delegated({ ground, domain }: Stage, security: 'secure' | 'insecure' | 'bogus'): Promise<void> {
  const { bind, views } = ground.dns;
  await bind.delegate(zoneOf(domain), security);
  await views.flush(zoneOf(domain));
}

const provider = (reason: Saying['reason'], words: RegExp): readonly Saying[] => [
  { reason, words },
  { kind: 'MailExchanger', reason, words },
];

export const dnsFaults: readonly Fault[] = [
  trial({
    name: 'dns-not-applied',
    fault: 'the name server says NOERROR to every update and makes none',
    holds: `it is said that changes do not last; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: updatesAnswered('NOERROR'),
        says: [{ reason: 'RecordChanged', words: /again and again, and do not last/u }],
      },
    ],
  }),
  trial({
    name: 'dns-answer-lost',
    fault: 'the name server makes a change, and its answer never comes',
    holds: asUndisturbed,
    when: 'new',
    lasting: true,
    troubles: [{ make: updates(firstAnswerLost) }],
  }),
  trial({
    name: 'dns-refusing',
    fault:
      'the name server answers updates with SERVFAIL, REFUSED, NOTAUTH, BADTIME, BADKEY; the secret is a wrong one',
    holds: `each is said with its mend; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      { make: updatesAnswered('SERVFAIL'), says: provider('ProviderUnavailable', /SERVFAIL/u) },
      { make: updatesAnswered('REFUSED'), says: provider('ProviderRefused', /widen the update policy/u) },
      { make: updatesAnswered('NOTAUTH'), says: provider('ZoneNotFound', /not the primary/u) },
      {
        make: updates(
          () =>
            ({ bytes }) =>
              Promise.resolve(refusedSignature(bytes, 'BADTIME')),
        ),
        says: provider('ProviderUnauthorized', /clocks .* differ.*BADTIME/u),
      },
      {
        make: updates(
          () =>
            ({ bytes }) =>
              Promise.resolve(refusedSignature(bytes, 'BADKEY')),
        ),
        says: provider('ProviderUnauthorized', /knows no key of this name/u),
      },
      {
        make: wrongKey,
        says: provider('ProviderUnauthorized', /secret for this key is another one/u),
        end: (stage) => byOthers(stage, () => grant(stage.ground, stage.lane, stage.domain)),
      },
    ],
  }),
  trial({
    name: 'dns-behind',
    fault: 'one name server is hours behind',
    holds: `no challenge is answered before it shows the record; it is named; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: second(behind),
        says: [unshown('ServerLagging', /ns2\..* does not show it yet/u)],
        meanwhile: async ({ testimony }) =>
          testimony.accepted('acme chalZ') === 0 ? [] : ['a challenge was answered before all servers showed it'],
      },
    ],
  }),
  trial({
    name: 'dns-server-down',
    fault: 'one name server is dead, or answers REFUSED, about another zone, or without authority',
    holds: `it is named; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      { make: second(() => silent), says: [unshown('ServerSilent', /ns2\..* gave no answer/u)] },
      { make: second(() => refusing), says: [unshown('ServerLame', /ns2\..* gave no answer: REFUSED/u)] },
      {
        make: second(() => astray),
        says: [unshown('ServerSilent', /ns2\..* gave no answer: .*did not answer the question/u)],
      },
      { make: second(() => lame), says: [unshown('ServerLame', /ns2\..* does not serve this zone/u)] },
    ],
  }),
  trial({
    name: 'dns-truncated',
    fault: 'all answers over UDP are truncated',
    holds: asUndisturbed,
    when: 'new',
    lasting: true,
    troubles: [{ make: ({ lane }) => lane.ways.nameServers.forEach((one) => one.meddle(truncated)) }],
  }),
  trial({
    name: 'dns-resolver',
    fault: 'the outside resolver is silent, refuses, does not validate, lies',
    holds: `nothing opens on its word; each is said; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: resolver(unchecked),
        says: [
          { kind: 'MailExchanger', type: 'DNSSECSecure', reason: 'DNSUnknown', words: /not been shown to validate/u },
        ],
      },
      { make: resolver(silent), says: [{ type: 'MXResolved', reason: 'DNSUnknown', words: /can't be looked up/u }] },
      { make: resolver(refusing), says: [{ type: 'MXResolved', reason: 'DNSUnknown', words: /REFUSED/u }] },
      {
        make: (stage) => resolver(lying(stage))(stage),
        says: [{ type: 'RecordsPublished', reason: 'NotSeenOutside', words: /still answers/u }],
      },
    ],
  }),
  trial({
    name: 'dns-split-horizon',
    fault: 'the inside resolver shows another zone than the outside one',
    holds: `it is said, and nothing is announced; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: otherInside,
        says: [{ type: 'RecordsPublished', reason: 'SplitHorizon', words: /the inside resolver answers/u }],
        end: (stage) => insides.get(stage)?.meddle(),
      },
    ],
  }),
  trial({
    name: 'dns-bogus',
    fault: 'the zone becomes bogus: the DS record is of another key',
    holds: `nothing is changed, and it is said; afterwards ${asUndisturbed}`,
    when: 'ready',
    troubles: [
      {
        make: (stage) => delegated(stage, 'bogus'),
        says: [
          { type: 'MXResolved', reason: 'ZoneBogus', words: /Mend the signatures or the DS record/u },
          { kind: 'MailExchanger', type: 'DNSSECSecure', reason: 'ZoneBogus', words: /broken/u },
        ],
        end: (stage) => delegated(stage, 'secure'),
      },
    ],
  }),
  trial({
    name: 'dns-ds-removed',
    fault: 'the DS record is removed, and comes back',
    holds: `TLSA records stay, and that DANE does not apply is said; afterwards ${asUndisturbed}`,
    when: 'ready',
    troubles: [
      {
        make: (stage) => delegated(stage, 'insecure'),
        says: [{ kind: 'MailExchanger', type: 'DNSSECSecure', reason: 'ZoneInsecure', words: /DANE does not apply/u }],
        end: (stage) => delegated(stage, 'secure'),
      },
    ],
  }),
];
