/** The acts one after another, with a sender at work from the first to the last, and what became of its mail. */
import { messageOf } from '../../src/errors.ts';
import { type Act, algorithms, compromise, renewal, rotations, settle } from './acts.ts';
import { naiveSwap } from './control.ts';
import { applyExchanger, grant } from './exchanger.ts';
import { type Ground, startGround } from './ground.ts';
import type { Sender } from './sender.ts';
import { byHand, takeOver } from './take-over.ts';
import type { Count } from './tally.ts';
import { allPhases, killed, laggingAgent, nameServers } from './troubles.ts';

export interface Played extends Count {
  readonly name: string;
  readonly seconds: number;
  /** The act did not end as it should. */
  readonly problem?: string;
  readonly reasons: readonly string[];
}

export interface Result {
  readonly acts: readonly Played[];
  readonly figures: Readonly<Record<string, number>>;
  readonly shortcomings: readonly string[];
}

const wholeForm: readonly Act[] = [
  takeOver,
  rotations(10),
  renewal,
  algorithms,
  compromise,
  killed(allPhases),
  nameServers,
  laggingAgent,
  naiveSwap,
];
/** Within a test. */
const shortForm: readonly Act[] = [killed(['Swapping']), naiveSwap];

const leastPerSecond = 10;

/** The acts whose names hold a word, and the control, which shows that the harness sees what it is to see. */
export function chosenActs({
  quick,
  only,
}: {
  readonly quick: boolean;
  readonly only?: string | undefined;
}): readonly Act[] {
  const acts = quick ? shortForm : wholeForm;
  const found = acts.filter((act) => act === naiveSwap || act.name.includes(only ?? ''));
  if (found.length > 1 || only === undefined) return found;
  throw new Error(`no act is called "${only}"; there are:${acts.map((act) => `\n  ${act.name}`).join('')}`);
}

export async function playActs(dir: string, acts: readonly Act[], say: (line: string) => void): Promise<Result> {
  const ground = await startGround(dir);
  try {
    await grant(ground);
    await (acts.includes(takeOver) ? byHand(ground) : begin(ground));
    const sender = await ground.send();
    const played = await playAll(ground, sender, acts, say);
    return judged(ground, sender, played);
  } finally {
    await ground.stop();
  }
}

/** What a take-over does under way, where nothing has to be taken over. */
async function begin(ground: Ground): Promise<void> {
  await applyExchanger(ground);
  await ground.startAgents();
  await ground.startOperator();
  await settle(ground);
}

interface Timed {
  readonly name: string;
  readonly seconds: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly problem?: string;
}

async function playAll(
  ground: Ground,
  sender: Sender,
  acts: readonly Act[],
  say: (line: string) => void,
): Promise<readonly Timed[]> {
  const played: Timed[] = [];
  for (const { name, play } of acts) {
    sender.begin(name);
    const began = performance.now();
    let [figures, problem]: [Timed['figures'], string | undefined] = [{}, undefined];
    try {
      figures = await play(ground);
    } catch (error) {
      problem = messageOf(error);
    }
    const seconds = (performance.now() - began) / 1000;
    const { messages, deferred } = sender.tally().count(name);
    say(
      `${seconds.toFixed(0)} s, ${messages} messages, ${deferred} deferred: ${name}${problem === undefined ? '' : `: ${problem}`}`,
    );
    played.push({ name, seconds, figures, ...(problem === undefined ? {} : { problem }) });
  }
  await sender.drain().catch((error: unknown) => say(messageOf(error)));
  return played;
}

function judged(ground: Ground, sender: Sender, played: readonly Timed[]): Result {
  const tally = sender.tally();
  const acts = played.map(
    ({ name, seconds, problem }): Played => ({
      name,
      seconds,
      ...(problem === undefined ? {} : { problem }),
      ...tally.count(name),
      reasons: tally.reasons(name),
    }),
  );
  const figures: Record<string, number> = {};
  for (const [name, value] of played.flatMap((one) => Object.entries(one.figures)))
    figures[name] = (figures[name] ?? 0) + value;
  const kept = acts.filter(({ name }) => name !== naiveSwap.name);
  const control = acts.find(({ name }) => name === naiveSwap.name);
  const sum = (of: (act: Played) => number): number => kept.reduce((total, act) => total + of(act), 0);
  const seconds = acts.reduce((total, act) => total + act.seconds, 0);
  const { messages, sent } = tally.count();
  // What the hosts say themselves: they are asked once more than the sender's word is taken.
  const received = ground.mx.reduce((total, { postfix }) => total + postfix.received().length, 0);
  Object.assign(figures, {
    messages: sum((act) => act.messages),
    sent: sum((act) => act.sent),
    verified: sum((act) => act.verified),
    deferred: sum((act) => act.deferred),
    unverified: sum((act) => act.sent - act.verified),
    'messages a second': Number((messages / seconds).toFixed(1)),
    seconds: Math.round(seconds),
    'deferred by the control': control?.deferred ?? 0,
    'received by the hosts': received,
  });
  const shortcomings = [
    ...acts.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`])),
    ...kept.flatMap(shortcomingsOf),
    ...(messages / seconds < leastPerSecond
      ? [`only ${(messages / seconds).toFixed(1)} messages a second were sent`]
      : []),
    ...(control !== undefined && control.deferred === 0
      ? ['the control deferred nothing: the harness sees nothing']
      : []),
    ...(sent === messages ? [] : [`${messages - sent} of ${messages} messages were never sent`]),
    ...(received === messages ? [] : [`the hosts received ${received} of ${messages} messages`]),
    ...(sender.problem() === undefined ? [] : [`no mail was handed over any more: ${sender.problem()}`]),
  ];
  return { acts, figures, shortcomings };
}

function shortcomingsOf({ name, messages, sent, verified, deferred, reasons }: Played): readonly string[] {
  const unverified = sent - verified;
  return [
    ...(deferred === 0 ? [] : [`${deferred} deferrals while ${name}: ${reasons.join(', ')}`]),
    ...(unverified === 0 ? [] : [`${unverified} sent over channels that were not verified while ${name}`]),
    ...(messages === 0 ? [`no mail was sent while ${name}`] : []),
  ];
}
