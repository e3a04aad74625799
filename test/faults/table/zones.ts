/** What befalls the zone around our records: a wildcard, the MX set, all of it. */
import { readZone } from '../zone.ts';
import { places } from '../../lab/lab.ts';
import { mxAddress } from '../ways.ts';
import { byHand } from './by-hand.ts';
import { refusing, servFail, signed } from './dns-meddling.ts';
import type { Fault, Stage } from './fault.ts';
import { asUndisturbed, type Saying, trial } from './trial.ts';

/** The policy that was announced goes on. */
async function samePolicy(stage: Stage): Promise<readonly string[]> {
  const ids = stage.testimony.ids();
  return ids.length === 1 ? [] : [`policies were announced in turn: ${ids.join(', ')}`];
}

const mx = (reason: Saying['reason'], words: RegExp): readonly Saying[] => [{ type: 'MXResolved', reason, words }];

export const zoneFaults: readonly Fault[] = [
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
