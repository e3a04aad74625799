/** What MX hosts do to those who look at them. */
import { join } from 'node:path';
import { places } from '../../lab/lab.ts';
import { addAddress } from '../../lab/namespace.ts';
import { startPostfixMx } from '../../lab/postfix-mx.ts';
import { type Script, startStandIn, usual } from '../../observe/smtp-stand-in.ts';
import { makeCa } from '../../pki/certificates.ts';
import { placeOf } from '../ways.ts';
import { readZone } from '../zone.ts';
import { byOthers, type Fault, type Stage } from './fault.ts';
import { asUndisturbed, type Saying, trial, type Trouble } from './trial.ts';

/** Who connects to the MX host meets a server of this script. */
const meets =
  (script: Script | ((stage: Stage) => Promise<Script>)) =>
  async (stage: Stage): Promise<void> => {
    const standIn = await startStandIn(typeof script === 'function' ? await script(stage) : script);
    stage.atEnd(standIn.stop);
    await byOthers(stage, () => stage.lane.ways.mail.lead({ address: '127.0.0.1', port: standIn.port }));
  };

const greeting = '220 mx ESMTP\r\n';

const startTls = (reason: Saying['reason'], words: RegExp): readonly Saying[] => [
  { kind: 'MailExchanger', type: 'StartTLSVerified', reason, words },
  { type: 'StartTLSVerified', reason: 'ExchangerNotReady', words },
];

/** A failing host demotes no policy. */
async function stillEnforced({ testimony }: Stage): Promise<readonly string[]> {
  return testimony.ids().length === 1 ? [] : ['another policy was announced because a host fails'];
}

const host = (make: Trouble['make'], reason: Saying['reason'], words: RegExp): Trouble => ({
  make,
  says: startTls(reason, words),
  meanwhile: stillEnforced,
  end: (stage) => byOthers(stage, () => stage.lane.ways.mail.lead()),
});

/** A leaf for the name, below `length` intermediates of nobody. */
async function chainOf(length: number, name: string): Promise<NonNullable<Script['tls']>> {
  const cas = await Promise.all(Array.from({ length }, (_, index) => makeCa(`CA ${index}`)));
  const [first] = cas;
  if (first === undefined) throw new Error('a chain has a CA');
  const leaf = await first.issue({ names: [name] });
  return { key: leaf.key, chain: leaf.cert + cas.map(({ intermediate }) => intermediate.cert).join('') };
}

async function anotherHost(): Promise<Script> {
  return { greeting, answers: usual, tls: await chainOf(1, 'mx.example.net') };
}

/** A Postfix that was never given the file that the operator delivers. */
async function neverReloaded(stage: Stage): Promise<void> {
  const { index, ways } = stage.lane;
  const address = placeOf(index, 26);
  await addAddress(address);
  const postfix = await startPostfixMx({
    dir: join(stage.ground.dir, `stubborn${index}`),
    name: `mx.${stage.domain}`,
    v4: address,
    resolver: places.inside,
    domains: [stage.domain],
  });
  stage.atEnd(postfix.stop);
  ways.mail.lead({ address, port: 25 });
}

export const mailFaults: readonly Fault[] = [
  trial({
    name: 'mail-old-certificate',
    fault: 'an MX host keeps its old certificate',
    holds: `no TLSA record is published before it shows the new one, and it is named; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: neverReloaded,
        says: [
          { kind: 'MailExchanger', type: 'Deployed', reason: 'AwaitingDelivery', words: /still shows another key/u },
          { reason: 'ExchangerNotReady', words: /self-signed/u },
        ],
        meanwhile: async ({ domain }) =>
          (await readZone(places.primary.v4, domain)).filter((line) => line.includes('TLSA')),
      },
    ],
  }),
  trial({
    name: 'mail-failing',
    excuses: { I1: 'the host shows keys of its own, which no record can match' },
    fault:
      'an MX host says 421, says 451, hides STARTTLS, answers 454 to it, hangs up in the handshake, shows the certificate of another host, a chain of 50, floods its greeting, refuses connections',
    holds: `each is said, and no policy is demoted; afterwards ${asUndisturbed}`,
    when: 'ready',
    troubles: [
      host(meets({ greeting: '421 busy\r\n' }), 'MXUnreachable', /421 busy/u),
      host(meets({ greeting, answers: { EHLO: '451 greylisted\r\n' } }), 'MXUnreachable', /451 greylisted/u),
      host(
        meets({ greeting, answers: { ...usual, EHLO: '250 mx\r\n', STARTTLS: '502 no\r\n' } }),
        'STARTTLSMissing',
        /does not offer STARTTLS/u,
      ),
      host(meets({ greeting, answers: { ...usual, STARTTLS: '454 no key\r\n' } }), 'MXUnreachable', /454 no key/u),
      host(
        meets({
          greeting,
          answers: { ...usual, STARTTLS: (socket) => void socket.write('220 go\r\n', () => socket.end()) },
        }),
        'TLSFailed',
        /handshake/u,
      ),
      host(meets(anotherHost), 'CertificateNotTrusted', /CA 0 root, which is not a root that is trusted/u),
      host(
        meets(async ({ domain }) => ({ greeting, answers: usual, tls: await chainOf(50, `mx.${domain}`) })),
        'CertificateNotTrusted',
        /./u,
      ),
      host(meets({ greeting: `220 ${'x'.repeat(200_000)}` }), 'MXUnreachable', /longer than 4096 bytes/u),
      host((stage) => byOthers(stage, () => stage.lane.ways.mail.lead('closed')), 'MXUnreachable', /./u),
    ],
  }),
  trial({
    name: 'mail-tarpit',
    excuses: { I14: 'whether a host will say something is known when the time has passed that it may take' },
    fault: 'an MX host takes connections and says nothing (tarpit)',
    holds: `it is said, and no policy is demoted; afterwards ${asUndisturbed}`,
    when: 'ready',
    troubles: [host(meets({ greeting: [] }), 'MXUnreachable', /greeting/u)],
  }),
];
