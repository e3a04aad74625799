/** What goes wrong while keys are rotated. */
import { createReflector } from '../../src/kube/reflector.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import { operatorNamespace } from '../faults/cluster.ts';
import { waitFor } from '../lab/process.ts';
import { type Act, patience, untilMet, untilSaid, untilState, wish } from './acts.ts';
import { attested, stateIn, stateName } from './exchanger.ts';
import type { Ground } from './ground.ts';

/** What is different between two stored states, where a step lies between them. */
const stepOf = ({ rollover, order, certificate, otherCertificates = [], applied }: ExchangerState): string =>
  [
    rollover.phase,
    order === undefined ? 'no order' : order.authorizations.map(({ status }) => status).join(),
    [certificate, ...otherCertificates].map((one) => one?.spkiSha256 ?? '').join(),
    applied.map(({ name, values, since }) => `${name} ${values.join()} ${since === undefined}`).join(),
  ].join(' ');

type Phase = ExchangerState['rollover']['phase'];

/** Once for each step that leads into or within one of the phases: it is stored, and nothing has been done about it yet. */
export const killed = (phases: readonly Phase[]): Act => ({
  name: phases.length === 1 ? `the operator is killed in ${phases.join()}` : 'the operator is killed at each step',
  play: async (ground) => {
    const seen = new Set<string>();
    const kills: Phase[] = [];
    let killing = Promise.resolve();
    const states = createReflector<SecretObject, ExchangerState>({
      kube: ground.kube,
      query: { apiVersion: 'v1', kind: 'Secret', namespace: operatorNamespace },
      select: (secret) => (secret.metadata.name === stateName ? stateIn(secret) : undefined),
      onChange: (_, state, before) => {
        if (state === undefined) return;
        const step = stepOf(state);
        const isNew = before !== undefined && !seen.has(step);
        seen.add(step);
        const { phase } = state.rollover;
        if (!isNew || !phases.includes(phase)) return;
        kills.push(phase);
        killing = killing.then(() => ground.startOperator());
      },
    });
    states.start();
    try {
      await states.synced;
      await untilMet(ground, await wish(ground));
    } finally {
      await states.stop();
      await killing;
    }
    const missed = phases.filter((phase) => !kills.includes(phase));
    if (missed.length > 0) throw new Error(`it was killed in ${kills.join()}, and never in ${missed.join()}`);
    return { kills: kills.length, rotations: 1 };
  },
});

export const allPhases: readonly Phase[] = ['Armed', 'Swapping', 'Retiring', 'Steady'];

/** One that nobody reaches while the key is swapped, and the one that takes updates while the old key's record goes. */
export const nameServers: Act = {
  name: 'a name server is stopped',
  play: async (ground) => {
    const { bind } = ground;
    await bind.down('secondary');
    let text = await wish(ground);
    await untilSaid(ground, 'the server that is down is named', /ns2\.test|10\.53\.0\.54/u);
    await bind.up('secondary');
    await untilMet(ground, text);
    text = await wish(ground);
    await untilState(ground, 'the old key retires', ({ rollover }) => rollover.phase === 'Retiring');
    await bind.down('primary');
    await untilSaid(ground, 'the server that is down is named', /ns1\.test|10\.53\.0\.53/u);
    await bind.up('primary');
    await untilMet(ground, text);
    return { rotations: 2 };
  },
};

/** Of the second host: its agent stands still, and it presents the former key for as long. */
export const laggingAgent: Act = {
  name: 'an agent lags',
  play: async (ground) => {
    const [, { name }] = ground.mx;
    const agent = ground.agentOf(name);
    agent.signal('SIGSTOP');
    let text: string;
    try {
      text = await wish(ground);
      await untilSaid(ground, 'the host that lags is named', new RegExp(`^Deployed KeyRollover: .*${name}`, 'u'));
      await untilState(ground, 'the hosts are on their way', ({ rollover }) => rollover.phase === 'Swapping');
      await untilApart(ground);
    } finally {
      agent.signal('SIGCONT');
    }
    await untilMet(ground, text);
    return { rotations: 1 };
  },
};

/** Until the first host has the next key, while the second has the former. */
async function untilApart(ground: Ground): Promise<void> {
  const { rollover } = await untilState(ground, 'there is a state', () => true);
  const apart = async (): Promise<boolean> => {
    const [first, second] = await attested(ground);
    return first?.spkiSha256 === rollover.next && second?.spkiSha256 === rollover.current;
  };
  await waitFor('the hosts present different keys', apart, patience);
}
