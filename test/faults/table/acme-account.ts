/** What becomes of the account that the operator has at the CA. */
import { readFileSync } from 'node:fs';
import { createWire } from '../../../src/apply/acme-wire.ts';
import { systemClock } from '../../../src/clock.ts';
import type { SecretObject } from '../../../src/kube/types.ts';
import type { StoredAccount } from '../../../src/plan/account.ts';
import { waitFor } from '../../lab/process.ts';
import { newKey } from '../../pki/certificates.ts';
import { operatorNamespace } from '../cluster.ts';
import { applyDomain } from '../objects.ts';
import type { Fault, Stage } from './fault.ts';
import { asked, trial } from './trial.ts';

const accountText = 'account.json';

async function accountSecret({ lane }: Stage): Promise<SecretObject> {
  return waitFor('the account is stored', async () => {
    const secrets = await lane.kube.list<SecretObject>({
      apiVersion: 'v1',
      kind: 'Secret',
      namespace: operatorNamespace,
    });
    const found = secrets.find(({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'issuer');
    return found !== undefined && accountIn(found).url !== undefined ? found : undefined;
  });
}

const accountIn = ({ data = {} }: SecretObject): Partial<StoredAccount> =>
  JSON.parse(Buffer.from(data[accountText] ?? '', 'base64').toString()) as Partial<StoredAccount>;

/** As after a restore of another installation's Secret: the CA knows the account by another key. */
async function exchangeKey(stage: Stage): Promise<void> {
  const secret = await accountSecret(stage);
  const account = { ...accountIn(secret), keyPem: newKey() };
  const data = { [accountText]: Buffer.from(JSON.stringify(account)).toString('base64') };
  await stage.lane.kube.replace({ ...secret, data });
  stage.life.kill();
  await stage.life.again();
}

async function deactivate(stage: Stage): Promise<void> {
  const { keyPem = '', url = '' } = accountIn(await accountSecret(stage));
  const wire = await createWire({
    directoryUrl: stage.lane.acmeServer,
    caBundle: readFileSync(stage.ground.door.caFile, 'utf8'),
    accountKeyPem: keyPem,
    accountUrl: url,
    timeoutMs: 10_000,
    clock: systemClock,
  });
  await wire.post({ url }, { resource: 'account', asked: 'its end', payload: { status: 'deactivated' } });
  await wire.close();
}

/** Nothing once the account that the CA no longer accepts is kept beside another. */
async function replaced(stage: Stage): Promise<readonly string[]> {
  await waitFor('a new account is stored', async () => accountIn(await accountSecret(stage)).former !== undefined);
  return [];
}

export const accountFaults: readonly Fault[] = [
  trial({
    name: 'acme-account',
    fault: 'the account has another key than the CA knows',
    holds: 'a new account is registered, the old key is kept, and all goes on',
    when: 'new',
    troubles: [
      {
        make: ({ lane }) =>
          lane.ca.setFault(({ path }) => (path === '/order-plz' ? { do: 'answer', status: 429 } : undefined)),
        says: [{ kind: 'MailExchanger', reason: 'ACMEThrottled', words: /asks us to wait/u }],
      },
      { make: exchangeKey, meanwhile: replaced },
    ],
  }),
  {
    name: 'acme-account-deactivated',
    fault: 'the account is deactivated at the CA',
    holds: 'a new account is registered, the old key is kept, and the change goes on',
    play: async (stage) => {
      const problems = [...(await stage.converge('new-domain'))];
      if (problems.length > 0) return problems;
      await deactivate(stage);
      await applyDomain(stage.lane, stage.domain, true);
      return asked(stage, async () => [...(await replaced(stage)), ...(await stage.converge('spec-change'))]);
    },
  },
];
