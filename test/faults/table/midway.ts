/** What changes while the operator is in the middle of its work: its own version, the MX set, the CA's mind. */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SecretObject } from '../../../src/kube/types.ts';
import { waitFor } from '../../lab/process.ts';
import { bundleEdited, type Edit } from '../../observer/mutants.ts';
import { makeCa } from '../../pki/certificates.ts';
import { tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { byHand } from './by-hand.ts';
import { asUndisturbed, type Fault, happened, orderOpened, ordersOf, type Stage } from './fault.ts';
import { asked, hear } from './trial.ts';

const patienceMs = 300_000;

/** The program as it may be one day: it writes states in another format, and reads those of today. */
export const newer: readonly Edit[] = [
  {
    file: 'plan/stored.ts',
    text: 'if (version !== formatVersion)',
    instead: 'if (![1, 2].includes(Number(version)))',
  },
  {
    file: 'plan/state.ts',
    text: 'return JSON.stringify(state);',
    instead: 'return JSON.stringify({ ...state, formatVersion: 2 });',
  },
];

async function replacedBy({ dress, life }: Stage, program: string | undefined): Promise<void> {
  dress(program === undefined ? {} : { program });
  life.kill();
  await life.again();
}

const watchedMs = 8000;

/** An order is open when the program is upgraded, and another when it is set back, and upgraded again. */
async function upAndDown(stage: Stage): Promise<readonly string[]> {
  const { lane, converge, ground, domain } = stage;
  const program = await bundleEdited(newer, join(ground.dir, `newer-${domain}`));
  const converged = converge('new-domain', patienceMs);
  await orderOpened(stage);
  await replacedBy(stage, program);
  const problems = [...(await converged)];
  const before = ordersOf(stage);
  const changed = converge('spec-change', patienceMs);
  await orderOpened(stage, before);
  await replacedBy(stage, undefined);
  const words = /format version 2, this program reads 1/u;
  problems.push(...(await asked(stage, () => hear(stage, { reason: 'StateUnreadable', words }))));
  const writes = (): readonly string[] =>
    lane.gate.seen().flatMap(({ what }) => (/^(acme|update dns|(create|replace) secrets)/u.test(what) ? [what] : []));
  const written = writes().length;
  await asked(stage, () => pause(watchedMs));
  problems.push(
    ...writes()
      .slice(written)
      .map((what) => `the older version, which can not read the state, did ${what}`),
  );
  await replacedBy(stage, program);
  problems.push(...(await asked(stage, () => changed)));
  return problems.filter((problem) => !problem.includes('StateUnreadable'));
}

/** The MX set names a stranger alone while the first certificates are on their way, and then the host again. */
async function mxMoves(stage: Stage): Promise<readonly string[]> {
  const converged = asked(stage, () => stage.converge('new-domain', patienceMs));
  await orderOpened(stage);
  await byHand('delete D MX', 'add D 1 MX 10 mx.stranger.test.')(stage);
  const problems = [...(await hear(stage, { type: 'MXResolved', reason: 'UnlistedMX', words: /mx\.stranger\.test/u }))];
  await byHand('delete D MX', 'add D 1 MX 10 mx.D.')(stage);
  return [...problems, ...(await converged)];
}

async function namesMounted({ lane }: Stage): Promise<string> {
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: tenant, name: `${objectName}-tls` };
  const chain = (await lane.kube.get<SecretObject>(ref))?.data?.['tls.crt'] ?? '';
  return new X509Certificate(Buffer.from(chain, 'base64')).subjectAltName ?? '';
}

/** Renewals are answered with certificates of other names, for a while. */
async function renewedForOthers(stage: Stage): Promise<readonly string[]> {
  const { lane, converge } = stage;
  const problems = [...(await converge('new-domain')), ...(await converge('spec-change'))];
  problems.push(...(await converge('second-domain')));
  const before = await namesMounted(stage);
  const { cert: body } = await (await makeCa('another CA')).issue({ names: ['mx.example.net'] });
  let given = 0;
  lane.ways.ca.meddle(async (request, pass) => {
    const answer = await pass();
    if (request.what !== 'certZ' || answer.status !== 200) return answer;
    given += 1;
    return { ...answer, body };
  });
  const renewed = converge('renewal', patienceMs);
  await waitFor('a certificate was fetched', () => given > 0, { timeoutMs: patienceMs });
  const words = /The next certificate fails: .*can't be used/u;
  const saying = { kind: 'MailExchanger', type: 'CertificateReady', reason: 'CertificateIssued', words } as const;
  problems.push(...(await asked(stage, () => hear(stage, saying))));
  const now = await namesMounted(stage);
  if (now !== before) problems.push(`the hosts were given a certificate for ${now}`);
  stage.clear();
  problems.push(...happened(given), ...(await asked(stage, () => renewed)));
  return problems.filter((problem) => !/orders were/u.test(problem));
}

export const midwayFaults: readonly Fault[] = [
  {
    name: 'version-up-and-down',
    fault: 'a newer version that writes another format takes over with an order open, and is set back with one open',
    holds: `the older says StateUnreadable, and changes nothing; with the newer back, ${asUndisturbed}`,
    play: upAndDown,
  },
  {
    name: 'records-mx-midway',
    fault: 'the MX set names a stranger alone while a new domain converges, and then its host again',
    holds: `it is said; afterwards ${asUndisturbed}`,
    play: mxMoves,
  },
  {
    name: 'acme-renewal-for-others',
    fault: 'renewals are answered with certificates for other names',
    holds: 'it is said, the certificate that is served stays; a minute later new ones are ordered, and used',
    play: renewedForOthers,
  },
];
