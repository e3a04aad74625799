/** What a CA may want beside orders: other renewals than are due, other chains than its own choice. */
import { X509Certificate } from 'node:crypto';
import { apiVersion, type CertificateIssuer } from '../../../src/api/types.ts';
import type { SecretObject } from '../../../src/kube/types.ts';
import { renewalIdOfChain } from '../../../src/pki/renewal.ts';
import { waitFor } from '../../lab/process.ts';
import { tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { anotherCa } from './another-ca.ts';
import { asUndisturbed, type Fault, ordersOf, type Stage } from './fault.ts';
import { asked, looked } from './trial.ts';

async function mountedChain({ lane }: Stage): Promise<string> {
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: tenant, name: `${objectName}-tls` };
  const chain = (await lane.kube.get<SecretObject>(ref))?.data?.['tls.crt'] ?? '';
  return Buffer.from(chain, 'base64').toString('utf8');
}

const hourMs = 3_600_000;
const [from, until] = [-2 * hourMs, -hourMs].map((ms) => new Date(Date.now() + ms).toISOString());
const passed = JSON.stringify({ suggestedWindow: { start: from, end: until }, explanationURL: 'https://ca.test/why' });

/** Of the two certificates that were made first the CA says that they are to be renewed now. */
async function renewedNow(stage: Stage): Promise<readonly string[]> {
  const problems = [...(await stage.converge('new-domain'))];
  if (problems.length > 0) return problems;
  const [before, orders] = [renewalIdOfChain(await mountedChain(stage)), ordersOf(stage)];
  const pressed = new Set<string>();
  const replaced: string[] = [];
  stage.lane.ways.ca.meddle(async (request, pass) => {
    const [, id] = /\/renewalInfo\/([^/]+)$/u.exec(request.path) ?? [];
    if (id !== undefined && pressed.size < 2) pressed.add(id);
    if (id !== undefined && pressed.has(id)) {
      return { status: 200, headers: { 'content-type': 'application/json', 'retry-after': '1' }, body: passed };
    }
    const answer = await pass();
    const { replaces } = request.what === 'order-plz' ? (JSON.parse(request.payload) as { replaces?: string }) : {};
    if (replaces !== undefined && answer.status === 201) replaced.push(replaces);
    return answer;
  });
  await asked(stage, async () => {
    const isNew = async (): Promise<boolean> => {
      const now = renewalIdOfChain(await mountedChain(stage));
      return replaced.length >= 2 && now !== undefined && now !== before;
    };
    await waitFor('both certificates were replaced', isNew, { timeoutMs: 120_000, everyMs: 200 });
    await looked(stage);
    await looked(stage);
  });
  const named = [...pressed].filter((id) => !replaced.includes(id));
  problems.push(...named.map((id) => `no order named ${id}, which it replaced`));
  const more = ordersOf(stage) - orders;
  if (more !== 2) problems.push(`${more} orders were opened for 2 certificates`);
  return problems;
}

/** The CA has two roots, and its own choice is the other one. */
async function anotherChain(stage: Stage): Promise<readonly string[]> {
  const { lane } = stage;
  const ca = await anotherCa(stage, { alternateRoots: 1 });
  lane.ways.ca.lead(ca);
  const root = new X509Certificate(await ca.rootPem(1));
  const ref = { apiVersion, kind: 'CertificateIssuer', name: 'one' };
  const issuer = await lane.kube.get<CertificateIssuer>(ref);
  if (issuer?.spec.acme === undefined) return ['there is no issuer'];
  const preferredChain = root.subject.replace(/^.*CN=/su, '');
  await lane.kube.replace({ ...issuer, spec: { ...issuer.spec, acme: { ...issuer.spec.acme, preferredChain } } });
  const problems = [...(await stage.converge('new-domain'))];
  const [, top] = (await mountedChain(stage)).match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/gu) ?? [];
  if (top !== undefined && new X509Certificate(top).verify(root.publicKey)) return problems;
  return [...problems, 'the chain that is mounted does not lead to the preferred root'];
}

export const suggestedFaults: readonly Fault[] = [
  {
    name: 'acme-renewal-now',
    fault: 'the CA wants both certificates of a domain to be renewed at once (ARI)',
    holds: 'each is replaced by one order that names it, and by no other however often it is looked at',
    quick: true,
    play: renewedNow,
  },
  {
    name: 'acme-another-chain',
    excuses: { I14: 'the root of another CA is trusted from the middle of the row on' },
    fault: 'the CA offers two chains, and the one that is preferred is not its own choice',
    holds: `the preferred one is mounted; ${asUndisturbed}`,
    play: anotherChain,
  },
];
