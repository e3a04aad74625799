/** The operator's clock is wrong, or jumps while it runs; the world's is right. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiVersion, type MailDomain } from '../../../src/api/types.ts';
import { waitFor } from '../../lab/process.ts';
import { tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { asUndisturbed, ask, type Fault, happened, type Stage } from './fault.ts';

const hour = 3_600_000;
/** RFC 8945 §10: what TSIG allows, in milliseconds. */
const fudge = 300_000;

/** Gives the operators of a stage a clock of their own, and the hand that moves it. */
function ownClock({ ground, dress, domain }: Stage): (shiftMs: number) => void {
  const file = join(ground.dir, `clock-${domain}`);
  const set = (shiftMs: number): void => writeFileSync(file, String(shiftMs));
  set(0);
  const program = join(import.meta.dirname, 'clock-shift.ts');
  dress({ env: { NODE_OPTIONS: `--import=${program}`, MAILSEAL_CLOCK: file } });
  return set;
}

/** Resolves when the status says that clocks differ. */
async function untilBlamed({ lane }: Stage): Promise<void> {
  await waitFor('the status says that clocks differ', async () => {
    const ref = { apiVersion, kind: 'MailDomain', namespace: tenant, name: objectName };
    const conditions = (await lane.kube.get<MailDomain>(ref))?.status?.conditions ?? [];
    return conditions.some(
      ({ reason, message }) => reason === 'ProviderUnauthorized' && /clocks.*differ/u.test(message),
    );
  });
}

/** The operator starts with a clock that TSIG does not accept; then it is set right. */
function startsWrong(shiftMs: number): Fault['play'] {
  return async (stage) => {
    const set = ownClock(stage);
    set(shiftMs);
    const converged = stage.converge('new-domain', 240_000);
    await untilBlamed(stage);
    const early = stage.testimony.accepted('update dns');
    set(0);
    await ask(stage);
    const problems = early > 0 ? [`${early} updates went through with a wrong clock`] : [];
    return [...problems, ...(await converged)];
  };
}

/** How often the operator has said that its clock was set. */
function jumpsSeen({ operator }: Stage): number {
  const log = operator()?.log;
  if (log === undefined) throw new Error('no operator runs');
  return readFileSync(log, 'utf8').split('"the clock was set:').length - 1;
}

/** In steady state the clock jumps, and jumps back when the operator has seen it; then the spec changes. */
function jumps(shiftMs: number): Fault['play'] {
  return async (stage) => {
    const set = ownClock(stage);
    const problems = [...(await stage.converge('new-domain'))];
    const before = jumpsSeen(stage);
    set(shiftMs);
    await waitFor('the operator sees that its clock was set', () => jumpsSeen(stage) === before + 1);
    await ask(stage);
    set(0);
    await waitFor('the operator sees that its clock was set back', () => jumpsSeen(stage) === before + 2);
    await ask(stage);
    return [...problems, ...(await stage.converge('spec-change', 240_000))];
  };
}

/** While a new domain converges the clock goes to and fro within what TSIG allows. */
async function wavers(stage: Stage): Promise<readonly string[]> {
  const set = ownClock(stage);
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
    set(turns % 2 === 0 ? 0 : fudge / 2);
  }, 1500);
  try {
    const problems = await stage.converge('new-domain', 240_000);
    return [...problems, ...happened(turns)];
  } finally {
    clearInterval(timer);
  }
}

const blamed = `the status says that clocks differ, and no update goes through; set right: ${asUndisturbed}`;

export const clockFaults: readonly Fault[] = [
  {
    name: 'clock-ahead',
    fault: "the operator's clock is an hour ahead when it starts",
    holds: blamed,
    play: startsWrong(hour),
  },
  {
    name: 'clock-behind',
    fault: "the operator's clock is an hour behind when it starts",
    holds: blamed,
    play: startsWrong(-hour),
  },
  {
    name: 'clock-jumps-forward',
    fault: "the operator's clock jumps an hour forward in steady state, and back when it was seen to",
    holds: `the operator says that its clock was set, and a change of spec goes through; ${asUndisturbed}`,
    play: jumps(hour),
  },
  {
    name: 'clock-jumps-back',
    fault: "the operator's clock jumps an hour back in steady state, and forward when it was seen to",
    holds: `the operator says that its clock was set, and a change of spec goes through; ${asUndisturbed}`,
    play: jumps(-hour),
  },
  {
    name: 'clock-wavers',
    fault: "the operator's clock jumps 150 s to and fro while a new domain converges",
    holds: asUndisturbed,
    play: wavers,
  },
];
