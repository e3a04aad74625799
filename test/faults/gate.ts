/**
 * The one place that all external writes of an operator pass, whatever wire they come by. It counts them, and at the
 * one that it was told of it kills the operator: before the write, after it, or after it with the answer lost.
 */
export type Wire = 'kubernetes' | 'acme' | 'dns';
export const moments = ['before', 'after', 'after-lost'] as const;
export type Moment = (typeof moments)[number];

export interface Write {
  readonly wire: Wire;
  /** What is written, the same in every run: `create secrets/mailseal-domain-*`. */
  readonly what: string;
  readonly body: Buffer;
  /** From which it came, where the door knows. */
  readonly port?: number | undefined;
}

/** A write by its name and how many of that name came before it: what two runs of a scenario have in common. */
export interface Spot {
  readonly what: string;
  /** From 1. */
  readonly turn: number;
}

export interface Kill extends Spot {
  readonly moment: Moment;
}

/** How a door is to treat one write. */
export interface Passage {
  /** Whether the server may see it. */
  readonly forward: boolean;
  /** Whether the operator may see the answer. */
  readonly answer: boolean;
  /** To be called when the answer is out, or is known to be lost. */
  readonly done: () => void;
}

export interface Witness {
  /** Before a write that will be forwarded. */
  readonly before: (write: Write) => Promise<void>;
  /** After one; `accepted` says that the server did it. */
  readonly after: (write: Write, accepted: boolean) => void;
}

/** Both are shown what passes. */
export const joined = (a: Witness, b: Witness): Witness => ({
  before: async (write) => void (await Promise.all([a.before(write), b.before(write)])),
  after: (write, accepted) => {
    a.after(write, accepted);
    b.after(write, accepted);
  },
});

export interface Gate {
  readonly arrive: (write: Write) => Passage;
  readonly witness: () => Witness;
  /** Tells of every write that arrives from now on. */
  readonly listen: (tell: (write: Write) => void) => void;
  /** Starts a new count; `kill` is called once, at the spot. Resolves `killed` then. */
  readonly arm: (options: {
    readonly spot: Kill | undefined;
    readonly kill: () => void;
    readonly witness: Witness;
  }) => void;
  /** Every write that arrived since `arm`, in order, until the kill. */
  readonly seen: () => readonly Spot[];
  readonly struck: () => boolean;
  /** Lets writes pass again, for the operator that is started next. */
  readonly reopen: () => void;
}

/** An operator that does not write again soon after an answer was lost is killed all the same. */
const lostMs = 700;

const silent: Witness = { before: async () => undefined, after: () => undefined };

export function createGate(): Gate {
  let seen: Spot[] = [];
  let counts = new Map<string, number>();
  let spot: Kill | undefined;
  let kill: () => void = () => undefined;
  let witness = silent;
  let tell: (write: Write) => void = () => undefined;
  let shut = false;
  let struck = false;

  const strike = (): void => {
    if (struck) return;
    struck = true;
    kill();
  };
  const pass: Passage = { forward: true, answer: true, done: () => undefined };
  const refuse: Passage = { forward: false, answer: false, done: () => undefined };

  const arriveAtSpot = (moment: Moment): Passage => {
    shut = true;
    switch (moment) {
      case 'before':
        strike();
        return refuse;
      case 'after':
        return { forward: true, answer: true, done: strike };
      case 'after-lost':
        return { forward: true, answer: false, done: () => void setTimeout(strike, lostMs) };
    }
  };

  return {
    arrive: (write) => {
      const { what } = write;
      tell(write);
      if (shut) {
        // What the operator made of the lost answer is never seen: its next write dies with it.
        if (spot?.moment === 'after-lost') strike();
        return refuse;
      }
      const turn = (counts.get(what) ?? 0) + 1;
      counts.set(what, turn);
      seen.push({ what, turn });
      const here = !struck && spot !== undefined && spot.what === what && spot.turn === turn;
      return here && spot !== undefined ? arriveAtSpot(spot.moment) : pass;
    },
    witness: () => witness,
    listen: (next) => {
      tell = next;
    },
    arm: (options) => {
      ({ spot, kill, witness } = options);
      [seen, counts, shut, struck] = [[], new Map(), false, false];
    },
    seen: () => seen,
    struck: () => struck,
    reopen: () => {
      shut = false;
    },
  };
}
